import subprocess
import sys

import pytest

from devices.cpu import CpuDevice
from devices.testing import DeviceContract, RecordedHost

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
        return CpuDevice(RecordedHost(tmp_path))


def findings(root, cpus=(0, 1), version="1.32.0"):
    packages = {"onnxruntime": version} if version else {}
    host = RecordedHost(root, cpus=cpus, packages=packages)
    return {finding.check: finding for finding in CpuDevice(host).doctor()}


def write(root, name, text):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_without_onnxruntime_it_is_unavailable_and_says_what_to_install(tmp_path):
    reason = CpuDevice(RecordedHost(tmp_path)).unavailable_reason()
    assert reason == (
        "onnxruntime is not installed on this machine; run there: pip install onnxruntime"
    )
    assert findings(tmp_path, version=None)["runtime"].severity == "problem"


def test_off_linux_it_is_unavailable(tmp_path):
    host = RecordedHost(tmp_path, system="Darwin", packages={"onnxruntime": "1.32.0"})
    assert "this machine is Darwin" in CpuDevice(host).unavailable_reason()


def test_any_wheel_of_the_runtime_will_do(tmp_path):
    for name in ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino"):
        host = RecordedHost(tmp_path, packages={name: "1.31.1"})
        assert CpuDevice(host).unavailable_reason() is None
        assert ("onnxruntime", "1.31.1") in CpuDevice(host).info().details


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
        ("host", "proc/cpuinfo", "flags : sse", "ok", "not a virtual machine"),
        ("host", "proc/cpuinfo", "flags : hypervisor", "warning", "a virtual machine"),
        ("host", ".dockerenv", "", "ok", "may be a virtual machine, in a container (docker)"),
        ("swap", "proc/meminfo", "SwapTotal: 204800 kB\nSwapFree: 102400 kB", "ok", "100 MB"),
        ("swap", "proc/meminfo", "SwapTotal: 204800 kB\nSwapFree: 101376 kB", "warning", "101 MB"),
        ("board", BOARD, "throttled=0x2", "problem", "now: capped clock (0x2)"),
        ("sensors", "sys/class/thermal/thermal_zone0/temp", "45100", "ok", "zone0 45.1 °C"),
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


def test_doctor_says_which_processors_share_a_core(tmp_path):
    for n, siblings in enumerate(("0-1", "0-1", "2-3", "2-3")):
        write(tmp_path, f"{CPUS}/cpu{n}/topology/thread_siblings_list", siblings)
    finding = findings(tmp_path, (0, 1, 2, 3))["siblings"]
    assert finding.severity == "warning"
    assert "share 2 cores, such as 0,1" in finding.message
    assert "taskset -c 0,2 " in finding.remedy
    assert findings(tmp_path, (0, 2))["siblings"].severity == "ok"


@pytest.mark.parametrize(
    ("version", "switch", "severity", "says"),
    [
        ("1.28.2", None, "ok", "onnxruntime 1.28.2 sends none"),
        ("1.29.0rc1", None, "warning", "off in the worker, on in your shell"),
        ("1.29.0", "0", "warning", "off in the worker, on in your shell"),
        ("1.32.0", "1", "ok", "off in the worker, off in your shell"),
        ("2.0", None, "warning", "onnxruntime 2.0 reports usage"),
    ],
)
def test_doctor_says_who_reports_usage(tmp_path, monkeypatch, version, switch, severity, says):
    if switch is None:
        monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    else:
        monkeypatch.setenv("ORT_DISABLE_TELEMETRY", switch)
    finding = findings(tmp_path, version=version)["telemetry"]
    assert finding.severity == severity
    assert says in finding.message
    assert finding.remedy == ("" if severity == "ok" else "export ORT_DISABLE_TELEMETRY=1")


def test_the_shell_of_another_machine_is_not_ours_to_judge(tmp_path, monkeypatch):
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    packages = {"onnxruntime": "1.32.0"}
    host = RecordedHost(tmp_path, packages=packages, label="pi@board", is_local=False)
    (telemetry,) = [x for x in CpuDevice(host).doctor() if x.check == "telemetry"]
    assert telemetry.severity == "ok"


def test_doctor_says_what_a_host_does_not_report(tmp_path):
    for check in (
        *("load", "runnable", "governor", "turbo", "throttling", "board", "temperature"),
        *("quota-stops", "host", "siblings", "memory", "swap", "steal", "pressure", "sensors"),
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
