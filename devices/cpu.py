"""The CPU of this host, through ONNX Runtime in a child process."""

import importlib.util
import platform
import sys
from pathlib import Path

from devices import linux
from devices.spec import DeviceInfo, Finding, Severity

_MIN_AVAILABLE_MB = 512
_MAX_STEAL_SHARE = 0.01
_MAX_PRESSURE_PERCENT = 5.0


class CpuDevice:
    """This host's processor, x86-64 or Arm.

    Args:
        root: The root of the file system that /proc and /sys are read from.
    """

    name = "cpu"

    def __init__(self, root: Path = linux.ROOT) -> None:
        self._root = root

    def unavailable_reason(self) -> str | None:
        """Why the CPU cannot be measured; None when it can."""
        if not sys.platform.startswith("linux"):
            return f"measuring needs Linux's /proc; this is {sys.platform}"
        if importlib.util.find_spec("onnxruntime") is None:
            return "onnxruntime is not installed; run: pip install onnxruntime"
        return None

    def info(self) -> DeviceInfo:
        """What this host is, read afresh."""
        return DeviceInfo(
            name=self.name,
            kind="cpu",
            model=linux.cpu_model(self._root),
            machine=platform.machine(),
            cores=linux.usable_cores(self._root),
            memory_mb=linux.memory_mb(self._root),
            system=f"{platform.system()} {platform.release()}",
            power_mode=linux.governor(self._root),
        )

    def worker_command(self, worker: Path) -> list[str]:
        """The argv that runs `worker` in this interpreter."""
        return [sys.executable, str(worker)]

    def worker_environment(self) -> dict[str, str]:
        """The variables to add to the child's environment."""
        return {"ORT_DISABLE_TELEMETRY": "1"}

    def doctor(self) -> tuple[Finding, ...]:
        """What would disturb a measurement on this host."""
        return (
            self._check_runtime(),
            self._check_load(),
            self._check_governor(),
            self._check_quota(),
            self._check_memory(),
            self._check_steal(),
            self._check_pressure(),
        )

    def _check_runtime(self) -> Finding:
        reason = self.unavailable_reason()
        if reason is not None:
            return Finding("runtime", "problem", reason, "pip install onnxruntime")
        return Finding("runtime", "ok", "onnxruntime is installed")

    def _check_load(self) -> Finding:
        load, cores = linux.load_average(self._root), linux.usable_cores(self._root)
        if load is None:
            return _unknown("load", "the load average")
        message = f"load average {load:.2f} on {cores} usable cores"
        severity: Severity = "ok" if load <= 0.5 else "problem" if load > cores else "warning"
        return _finding("load", severity, message, "stop other programs before measuring")

    def _check_governor(self) -> Finding:
        mode = linux.governor(self._root)
        if mode == "unknown":
            return _unknown("governor", "the cpufreq governor (usual in a virtual machine)")
        remedy = "sudo cpupower frequency-set -g performance"
        return _finding("governor", _warn_if(mode != "performance"), f"governor {mode}", remedy)

    def _check_quota(self) -> Finding:
        quota = linux.cpu_quota(self._root)
        if quota is None:
            return Finding("quota", "ok", "no cgroup CPU quota")
        remedy = "pin cores (docker --cpuset-cpus) instead of a quota, which pauses the process"
        return Finding("quota", "warning", f"a cgroup quota grants {quota:.2f} cores", remedy)

    def _check_memory(self) -> Finding:
        available = linux.available_memory_mb(self._root)
        if available is None:
            return _unknown("memory", "the available memory")
        severity: Severity = "problem" if available < _MIN_AVAILABLE_MB else "ok"
        return _finding("memory", severity, f"{available} MB available", "free some memory")

    def _check_steal(self) -> Finding:
        share = linux.steal_share(self._root)
        if share is None:
            return _unknown("steal", "stolen CPU time")
        message = f"{share:.1%} of CPU time since boot was stolen by the hypervisor"
        severity = _warn_if(share > _MAX_STEAL_SHARE)
        return _finding("steal", severity, message, "use a dedicated or a bare-metal host")

    def _check_pressure(self) -> Finding:
        percent = linux.cpu_pressure(self._root)
        if percent is None:
            return _unknown("pressure", "CPU pressure (PSI)")
        message = f"tasks waited for a core in {percent:.1f} % of the last 10 s"
        severity = _warn_if(percent > _MAX_PRESSURE_PERCENT)
        return _finding("pressure", severity, message, "stop other programs before measuring")


def _warn_if(disturbed: bool) -> Severity:
    return "warning" if disturbed else "ok"


def _finding(check: str, severity: Severity, message: str, remedy: str) -> Finding:
    """A finding that names its remedy only when there is something to do."""
    return Finding(check, severity, message, "" if severity == "ok" else remedy)


def _unknown(check: str, what: str) -> Finding:
    return Finding(check, "ok", f"unknown: this host does not report {what}")
