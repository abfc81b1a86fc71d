import pytest
from support.boards import ARM_SERVER, JETSON_NANO, ORIN_NANO, PC, RASPBERRY_PI_4

from devices.linux.arm_cores import arm_core
from devices.linux.cores import are_clocks_held, describe_caches, describe_cores
from devices.testing import RecordedHost


@pytest.mark.parametrize(
    ("board", "described"),
    [
        (RASPBERRY_PI_4, "4 x Cortex-A72, up to 1800 MHz"),
        (ORIN_NANO, "6 x Cortex-A78AE, up to 1510 MHz"),
        (ARM_SERVER, "8 x Neoverse-N1, up to 3000 MHz"),
        (PC, "4 x core"),
    ],
)
def test_cores_are_named(tmp_path, board, described):
    assert describe_cores(board.host(tmp_path)) == described


def test_big_and_little_cores_are_told_apart(tmp_path):
    parts = {0: ("0xd05", "250"), 1: ("0xd05", "250"), 2: ("0xd0b", "1024")}
    (tmp_path / "proc").mkdir()
    text = "\n".join(
        f"processor : {n}\nCPU implementer : 0x41\nCPU part : {x}\n" for n, (x, _) in parts.items()
    )
    (tmp_path / "proc/cpuinfo").write_text(text)
    for n, (_, capacity) in parts.items():
        folder = tmp_path / f"sys/devices/system/cpu/cpu{n}"
        folder.mkdir(parents=True)
        (folder / "cpu_capacity").write_text(f"{capacity}\n")
    host = RecordedHost(tmp_path, cpus=(0, 1, 2))
    expected = "2 x Cortex-A55, capacity 250; 1 x Cortex-A76, capacity 1024"
    assert describe_cores(host) == expected


def test_an_unknown_core_is_named_by_its_numbers():
    assert arm_core("0x61", "0x022") == "implementer 0x61 part 0x022"


def test_caches(tmp_path):
    assert describe_caches(ARM_SERVER.host(tmp_path / "a")) == "L1d 64K, L2 1024K"
    assert describe_caches(PC.host(tmp_path / "b")) is None


def test_held_means_one_clock_only(tmp_path):
    assert are_clocks_held(JETSON_NANO.host(tmp_path / "a")) is True
    assert are_clocks_held(ORIN_NANO.host(tmp_path / "b")) is False
    assert are_clocks_held(PC.host(tmp_path / "c")) is None
