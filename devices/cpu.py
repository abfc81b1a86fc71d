"""The CPU of this host, through ONNX Runtime in a child process."""

import contextlib
import importlib.util
import os
import platform
import re
import sys
from importlib import metadata
from pathlib import Path

from devices import linux
from devices.cpu_checks import CHECKS, finding, unknown
from devices.spec import DeviceInfo, Finding, Severity

_TELEMETRY_SWITCH = "ORT_DISABLE_TELEMETRY"
_FIRST_WITH_TELEMETRY = (1, 29)
_WHEELS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino")


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
        return {_TELEMETRY_SWITCH: "1"}

    def doctor(self) -> tuple[Finding, ...]:
        """What would disturb a measurement on this host."""
        return (
            self._check_runtime(),
            self._check_telemetry(),
            *(check(self._root) for check in CHECKS),
        )

    def _check_runtime(self) -> Finding:
        reason = self.unavailable_reason()
        if reason is not None:
            return Finding("runtime", "problem", reason, "pip install onnxruntime")
        version = _runtime_version()
        return Finding("runtime", "ok", f"onnxruntime {version or 'of unknown version'}")

    def _check_telemetry(self) -> Finding:
        version = _runtime_version()
        if version is None:
            return unknown("telemetry", "its version of onnxruntime")
        if _numbers(version) < _FIRST_WITH_TELEMETRY:
            return Finding("telemetry", "ok", f"onnxruntime {version} sends none")
        worker = self.worker_environment().get(_TELEMETRY_SWITCH) == "1"
        shell = os.environ.get(_TELEMETRY_SWITCH) == "1"
        message = (
            f"onnxruntime {version} reports usage over the network unless told not to: "
            f"{_off(worker)} in our worker, {_off(shell)} in your shell"
        )
        severity: Severity = "ok" if worker and shell else "warning"
        return finding("telemetry", severity, message, f"export {_TELEMETRY_SWITCH}=1")


def _off(off: bool) -> str:
    return "off" if off else "on"


def _runtime_version() -> str | None:
    """Of the installed wheel, without importing it."""
    for name in _WHEELS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
    return None


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers, of "1.29.0rc1" for example 1, 29 and 0."""
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, match.group().split("."))) if match else ()
