import importlib.util
import subprocess
import sys

import pytest

from devices.cpu import CpuDevice
from devices.testing import DeviceContract


class TestCpuDevice(DeviceContract):
    @pytest.fixture
    def device(self):
        return CpuDevice()


class TestCpuDeviceOnABareTree(DeviceContract):
    @pytest.fixture
    def device(self, tmp_path):
        (tmp_path / "proc").mkdir()
        (tmp_path / "proc/meminfo").write_text("MemTotal: 2097152 kB\n")
        return CpuDevice(tmp_path)


def findings(root):
    return {finding.check: finding for finding in CpuDevice(root).doctor()}


def write(root, name, text):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_without_onnxruntime_it_is_unavailable_and_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "pip install onnxruntime" in CpuDevice().unavailable_reason()
    assert findings(CpuDevice()._root)["runtime"].severity == "problem"


def test_off_linux_it_is_unavailable(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "this is darwin" in CpuDevice().unavailable_reason()


@pytest.mark.parametrize(
    ("check", "file", "text", "severity", "says"),
    [
        ("load", "proc/loadavg", "0.10 0 0 1/1 1", "ok", "0.10"),
        ("load", "proc/loadavg", "9999 0 0 1/1 1", "problem", "9999"),
        (
            "governor",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
            "performance",
            "ok",
            "performance",
        ),
        (
            "governor",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
            "powersave",
            "warning",
            "powersave",
        ),
        ("memory", "proc/meminfo", "MemAvailable: 102400 kB", "problem", "100 MB"),
        ("steal", "proc/stat", "cpu 50 0 20 20 0 0 0 10", "warning", "10.0%"),
        (
            "pressure",
            "proc/pressure/cpu",
            "some avg10=33.00 avg60=0 avg300=0 total=0",
            "warning",
            "33.0 %",
        ),
    ],
)
def test_doctor_judges_what_it_reads(tmp_path, check, file, text, severity, says):
    write(tmp_path, file, text)
    finding = findings(tmp_path)[check]
    assert finding.severity == severity
    assert says in finding.message


def test_doctor_warns_of_a_quota(tmp_path):
    write(tmp_path, "proc/self/cgroup", "0::/\n")
    write(tmp_path, "sys/fs/cgroup/cpu.max", "150000 100000\n")
    finding = findings(tmp_path)["quota"]
    assert finding.severity == "warning"
    assert "1.50 cores" in finding.message
    assert "cpuset" in finding.remedy


def test_doctor_says_what_a_host_does_not_report(tmp_path):
    for check in ("load", "governor", "memory", "steal", "pressure"):
        finding = findings(tmp_path)[check]
        assert finding.severity == "ok"
        assert finding.message.startswith("unknown")


def test_importing_devices_and_profilers_is_cheap():
    code = (
        "import sys, devices, devices.cpu, profilers\n"
        "heavy = {'torch', 'onnxruntime', 'onnx', 'pandas', 'scipy.stats', 'sklearn', 'automoe'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)))"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.stderr.strip() == ""
