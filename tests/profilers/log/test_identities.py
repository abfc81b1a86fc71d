import pytest

from profilers.log import identities
from profilers.log.identities import identity_in, names_here


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("/home/alice/lat.csv", "a path"),
        ("model=~/m.onnx", "a path"),
        ("../notes/lat.csv", "a path"),
        (r"C:\Users\alice", "a path"),
        (r"\\server\share", "a path"),
        ("alice@board", "an address"),
        ("ssh://board", "an address"),
        ("Xeon of build-7.corp", "a host name"),
        ("gpu01.cs.example.edu", "a host name"),
        ("192.168.0.7", "a network address"),
        ("aa:bb:cc:00:11:22", "a network address"),
        ("fe80:0:0:0:1:2:3:4", "a network address"),
        ("GPU-8a1b2c3d-0000-1111-2222-123456789abc", "an identity"),
        ("Orin, serial number 1423", "a serial number"),
        ("Orin S/N: AB14", "a serial number"),
        ("SN0042", "a serial number"),
        ("fe80::1", "a network address"),
        ("home/alice/m.onnx", "a path"),
        ("my_board.local", "a host name"),
        ("pi_hedwig.lan", "a host name"),
        ("hedwig.lan_2", "a host name"),
        ("node7.hpc", "a host name"),
        ("ip_192.168.0.7", "a network address"),
        ("mac_aa:bb:cc:00:11:22_", "a network address"),
        ("GPU_8a1b2c3d-0000-1111-2222-123456789abc", "an identity"),
        ("feature_serial", "a serial number"),
        ("board_sn_0042", "a serial number"),
        ("my_home/alice", "a path"),
    ],
)
def test_an_identity_is_known_by_its_form(text: str, kind: str) -> None:
    assert identity_in(text) == kind


@pytest.mark.parametrize(
    "text",
    [
        "Intel(R) Xeon(R) Processor @ 2.50GHz",
        "AMD EPYC 9654 96-Core Processor",
        "NVIDIA GeForce RTX 4090",
        "NVIDIA Jetson Orin Nano Developer Kit",
        "Raspberry Pi 5 Model B Rev 1.0",
        "450 W limit, performance governor, clocks held",
        "MODE_30W, clocks pinned",
        "src=30 tgt=30 vocab=32768 tables=1 beam=5 routing=trace:0123456789ab",
        "x=1x{64,128} lengths:=400",
        "263c65b717fc src=30 tgt=30 beam=1",
        "resnet50-0123456789ab x=1x3x224x224",
        "2026-11-30T02:04:56.375+00:00",
        '{"encoder.expert_0": [15, 15]}',
        "encoder.in=1x3 decoder.it=1 x.at y.be z.no w.us",
        "SIMULATED roofline (gflops=20,gbps=10,overhead_us=2,noise=0.02,drift=0,seed=0)",
    ],
)
def test_what_logs_hold_is_no_identity(text: str) -> None:
    assert identity_in(text) is None


def test_a_long_number_in_the_name_of_a_product_is_a_serial_number() -> None:
    assert identity_in("Orin 1423319012345", is_name=True) == "a serial number"
    assert identity_in("Orin 1423319012345") is None  # elsewhere digests are as long
    assert identity_in("Intel(R) Core(TM) i7-13700K", is_name=True) is None
    assert identity_in("BCM2712D0 rev 123", is_name=True) is None
    assert identity_in("Orin_1423319012345", is_name=True) == "a serial number"


def test_a_version_of_four_numbers_is_an_address_only_elsewhere() -> None:
    assert identity_in("tensorrt 10.3.0.26", is_version=True) is None
    assert identity_in("tensorrt 10.3.0.26") == "a network address"


def test_the_names_of_this_machine_and_of_its_user_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(identities.socket, "gethostname", lambda: "hedwig.owls.test")
    monkeypatch.setattr(identities.getpass, "getuser", lambda: "harry")
    names = names_here()
    assert identity_in("Xeon of Hedwig", names) == "this machine's name"
    assert identity_in("my_HARRY-space", names) == "your user name"
    assert identity_in("hedwigs harrying", names) is None


@pytest.mark.parametrize("name", ["jetson", "Ubuntu", "nvidia", "raspberrypi", "cuda", "orin"])
def test_names_of_many_are_no_names(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(identities.socket, "gethostname", lambda: name)
    monkeypatch.setattr(identities.getpass, "getuser", lambda: name)
    assert identity_in(f"the {name} of NVIDIA", names_here()) is None


@pytest.mark.parametrize("destination", ["alice@hedwig", "ssh://alice@hedwig.owls.test:2222"])
def test_the_names_of_other_machines_are_looked_for(destination: str) -> None:
    names = names_here([destination])
    assert identity_in("Orin of Alice", names) == "a name in your --host"
    assert identity_in("space_hedwig", names) == "a name in your --host"
    assert identity_in("2222", names) is None
    assert identity_in("ssh", names) is None


def test_a_user_without_an_entry_has_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise KeyError("getpwuid(): uid not found: 1000")

    monkeypatch.setattr(identities.getpass, "getuser", fail)
    assert identity_in("harry-space", names_here()) is None
