import importlib.metadata
import importlib.util
import subprocess
import sys

import pytest

from devices.cpu import CpuDevice
from devices.testing import DeviceContract

CPUS = "sys/devices/system/cpu"
BOARD = "sys/devices/platform/soc/soc:firmware/get_throttled"


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
        ("runnable", "proc/loadavg", "0 0 0 1/9 1", "ok", "0 other tasks"),
        ("runnable", "proc/loadavg", "0 0 0 9999/9999 1", "warning", "9998 other tasks"),
        ("turbo", f"{CPUS}/intel_pstate/no_turbo", "1", "ok", "turbo is off"),
        ("turbo", f"{CPUS}/cpufreq/boost", "1", "warning", "turbo is on"),
        ("throttling", f"{CPUS}/cpu0/thermal_throttle/core_throttle_count", "0", "ok", " 0 times"),
        (
            "throttling",
            f"{CPUS}/cpu0/thermal_throttle/package_throttle_count",
            "7",
            "warning",
            "7 times since boot",
        ),
        ("board", BOARD, "0", "ok", "enough voltage"),
        ("board", BOARD, "50005", "problem", "now: too little voltage, throttling (0x50005)"),
        ("board", BOARD, "a", "problem", "now: capped clock, temperature limit (0xa)"),
        (
            "board",
            BOARD,
            "f0000",
            "warning",
            "since boot: too little voltage, capped clock, throttling, temperature limit (0xf0000)",
        ),
        ("temperature", "sys/class/thermal/thermal_zone0/temp", "79900", "ok", "79.9 °C"),
        ("temperature", "sys/class/thermal/thermal_zone0/temp", "80000", "warning", "80.0 °C"),
        ("host", "proc/cpuinfo", "flags : sse", "ok", "no virtual machine"),
        ("host", "proc/cpuinfo", "flags : hypervisor", "warning", "a virtual machine"),
        ("host", ".dockerenv", "", "ok", "may be a virtual machine, in a container (docker)"),
        ("swap", "proc/meminfo", "SwapTotal: 204800 kB\nSwapFree: 102400 kB", "ok", "100 MB"),
        ("swap", "proc/meminfo", "SwapTotal: 204800 kB\nSwapFree: 101376 kB", "warning", "101 MB"),
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


@pytest.mark.parametrize(("n", "severity"), [(0, "ok"), (3, "warning")])
def test_doctor_counts_the_pauses_of_a_quota(tmp_path, n, severity):
    write(tmp_path, "proc/self/cgroup", "0::/\n")
    write(tmp_path, "sys/fs/cgroup/cpu.stat", f"nr_throttled {n}\nthrottled_usec {n}500000\n")
    finding = findings(tmp_path)["quota-stops"]
    assert finding.severity == severity
    assert f"paused this cgroup {n} times, {n}.5 s in all" in finding.message


def test_doctor_says_which_processors_share_a_core(tmp_path, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 2, 3})
    for n, siblings in enumerate(("0-1", "0-1", "2-3", "2-3")):
        write(tmp_path, f"{CPUS}/cpu{n}/topology/thread_siblings_list", siblings)
    finding = findings(tmp_path)["siblings"]
    assert finding.severity == "warning"
    assert "share 2 cores, such as 0,1" in finding.message
    assert "taskset -c 0,2 " in finding.remedy
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 2})
    assert findings(tmp_path)["siblings"].severity == "ok"


@pytest.mark.parametrize(
    ("version", "switch", "severity", "says"),
    [
        ("1.28.2", None, "ok", "onnxruntime 1.28.2 sends none"),
        ("1.29.0rc1", None, "warning", "off in our worker, on in your shell"),
        ("1.29.0", "0", "warning", "off in our worker, on in your shell"),
        ("1.32.0", "1", "ok", "off in our worker, off in your shell"),
        ("2.0", None, "warning", "onnxruntime 2.0 reports usage"),
    ],
)
def test_doctor_says_who_reports_usage(tmp_path, monkeypatch, version, switch, severity, says):
    monkeypatch.setattr("importlib.metadata.version", lambda name: version)
    if switch is None:
        monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    else:
        monkeypatch.setenv("ORT_DISABLE_TELEMETRY", switch)
    finding = findings(tmp_path)["telemetry"]
    assert finding.severity == severity
    assert says in finding.message
    assert finding.remedy == ("" if severity == "ok" else "export ORT_DISABLE_TELEMETRY=1")


def test_a_runtime_that_pip_does_not_know_may_report_usage(tmp_path, monkeypatch):
    def unknown(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", unknown)
    assert "does not report its version" in findings(tmp_path)["telemetry"].message
    assert findings(tmp_path)["runtime"].message == "onnxruntime of unknown version"


def test_doctor_says_what_a_host_does_not_report(tmp_path):
    for check in (
        *("load", "runnable", "governor", "turbo", "throttling", "board", "temperature"),
        *("quota-stops", "host", "siblings", "memory", "swap", "steal", "pressure"),
    ):
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
