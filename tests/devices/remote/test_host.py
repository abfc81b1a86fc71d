import sys
from importlib import metadata
from pathlib import Path

import pytest
from support.ssh_in_place import SshInPlace
from support.waiting import wait_until

from devices.cpu import CpuDevice
from devices.host import Host, LocalHost
from devices.remote.address import RemoteAddress
from devices.remote.host import RemoteHost


def test_the_same_machine_answers_the_same_from_afar(host: RemoteHost, tmp_path: Path) -> None:
    here = LocalHost()
    assert isinstance(host, Host)
    assert host.kernel() == here.kernel()
    assert host.usable_cpus() == here.usable_cpus()
    assert host.read_text("/proc/version") == here.read_text("/proc/version")
    assert host.glob("/proc/[1-9]") == here.glob("/proc/[1-9]") != ()
    assert host.run(("uname", "-m")) == host.kernel().machine
    assert host.package_version("onnx") == metadata.version("onnx")
    assert (host.label, host.is_local) == ("pi@board", False)


def test_what_the_machine_lacks_is_none(host: RemoteHost) -> None:
    assert host.read_text("/no/such/file") is None
    assert host.read_text("/proc") is None
    assert host.glob("/no/such/*") == ()
    assert host.run(("no-such-program",)) is None
    assert host.run(("sh", "-c", "echo out; echo err >&2; exit 3")) == "out"
    assert host.package_version("no-such-distribution") is None


def test_texts_are_cut_and_cleaned(host: RemoteHost, tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"Raspberry Pi\xff\0" + b"\n")
    assert host.read_text(str(path)) == "Raspberry Pi\ufffd"
    path.write_bytes(b"x" * 100_000)
    assert host.read_text(str(path)) == "x" * 65_536


@pytest.mark.parametrize("name", ["it's", "a b", "$(touch PWNED)", "`touch PWNED`", "a;b\nc", "ü"])
def test_nothing_that_is_asked_is_read_by_a_shell(
    host: RemoteHost, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_text("kept")
    assert host.read_text(str(path)) == "kept"
    assert host.run(("cat", str(path))) == "kept"
    assert not list(Path.cwd().glob("PWNED")) + list(tmp_path.glob("**/PWNED"))


def test_a_plugin_describes_it(host: RemoteHost) -> None:
    there, here = CpuDevice(host), CpuDevice()
    assert there.unavailable_reason() is None
    assert there.info().fingerprint == here.info().fingerprint
    assert there.info().details == here.info().details


def test_programs_of_administrators_are_found(host: RemoteHost, tmp_path: Path) -> None:
    # sshd gives users a PATH without these; nvpmodel, for one, is there.
    assert host.run(("sysctl", "-n", "kernel.ostype")) in ("Linux", None)
    assert host.run(("sh", "-c", "echo $PATH")).endswith(":/usr/local/sbin:/usr/sbin:/sbin")  # type: ignore[union-attr]


def test_the_interpreter_is_the_one_asked_for(host: RemoteHost) -> None:
    assert host.session.python == sys.version.split()[0]


def test_nothing_is_left_when_the_session_ends(ssh: SshInPlace) -> None:
    with RemoteHost(RemoteAddress("board")) as host:
        assert len(ssh.keepers()) == 1
        host.kernel()
    wait_until(lambda: ssh.keepers() == [])
    assert list((ssh.cache / "sessions").iterdir()) == []
