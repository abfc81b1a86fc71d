import os
import platform
import sys
from importlib import metadata

import pytest

from devices import Host, LocalHost
from devices.testing import RecordedHost


@pytest.fixture
def recorded(tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/model").write_bytes(b" Board\xff 5\0\n")
    (tmp_path / "proc/empty").write_bytes(b"")
    return RecordedHost(
        tmp_path,
        machine="aarch64",
        cpus=(0, 3),
        outputs={("tool", "-q"): "mode"},
        packages={"onnxruntime": "1.19.2"},
    )


def test_both_are_hosts(recorded):
    assert isinstance(recorded, Host)
    assert isinstance(LocalHost(), Host)


def test_the_local_host_is_this_machine():
    host = LocalHost()
    assert host.kernel().machine == platform.machine()
    assert host.kernel().release == platform.release()
    assert set(host.usable_cpus()) == os.sched_getaffinity(0)
    assert host.package_version("pytest") == metadata.version("pytest")
    assert host.package_version("no-such-package") is None
    assert host.read_text("/proc/sys/kernel/osrelease") == platform.release()
    assert host.read_text("/no/such/file") is None
    assert host.read_text("/proc") is None
    assert "/proc/meminfo" in host.glob("/proc/mem*")


def test_a_command_answers_with_what_it_prints_whatever_its_status():
    host = LocalHost()
    assert host.run([sys.executable, "-c", "print('mode 1'); raise SystemExit(9)"]) == "mode 1"
    assert host.run(["no-such-program-anywhere"]) is None


def test_a_command_that_does_not_end_is_given_up(monkeypatch):
    monkeypatch.setattr("devices.sensors.machine.COMMAND_SECONDS", 0.2)
    assert LocalHost().run([sys.executable, "-c", "import time; time.sleep(60)"]) is None


def test_a_recorded_host_reads_its_tree_and_runs_nothing(recorded):
    assert recorded.read_text("/proc/model") == "Board\N{REPLACEMENT CHARACTER} 5"
    assert recorded.read_text("/proc/empty") == ""
    assert recorded.read_text("/etc/passwd") is None
    assert recorded.glob("/proc/*") == ("/proc/empty", "/proc/model")
    assert recorded.run(["tool", "-q"]) == "mode"
    assert recorded.run(["true"]) is None
    assert recorded.kernel().machine == "aarch64"
    assert recorded.usable_cpus() == (0, 3)
    assert recorded.package_version("onnxruntime") == "1.19.2"


def test_only_the_start_of_a_long_file_is_read(tmp_path):
    (tmp_path / "long").write_bytes(b"x" * 100_000)
    assert len(RecordedHost(tmp_path).read_text("/long")) == 65536
