"""Which inference runtimes a machine has, found without importing any."""

import os
import re

from devices.host import Host
from devices.linux_checks import finding, unknown
from devices.spec import Facts, Finding, Severity

TELEMETRY_SWITCH = "ORT_DISABLE_TELEMETRY"
PROVIDER_VARIABLE = "AUTOMOE_PROVIDER"  # read by profilers/worker.py
CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
_FIRST_WITH_TELEMETRY = (1, 29)
_WHEELS = {
    CPU: ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "ort-nightly"),
    CUDA: ("onnxruntime-gpu", "ort-nightly-gpu"),
}


def onnxruntime_version(host: Host, provider: str = CPU) -> str | None:
    """Of the first installed wheel that can have the execution provider."""
    versions = (host.package_version(name) for name in _WHEELS[provider])
    return next((version for version in versions if version), None)


def missing_runtime(host: Host, provider: str = CPU) -> str | None:
    """Why nothing can be run there, and the remedy; None when a runtime is installed."""
    if onnxruntime_version(host, provider):
        return None
    wheel = _WHEELS[provider][0]
    return f"{wheel} is not installed on {host.label}; run there: pip install {wheel}"


def describe_runtimes(host: Host) -> Facts:
    """The versions of ONNX Runtime and TensorRT, where they are installed."""
    versions = {
        "onnxruntime": onnxruntime_version(host),
        "tensorrt": host.package_version("tensorrt") or _debian_version(host, "tensorrt"),
    }
    return tuple((name, version) for name, version in versions.items() if version)


def worker_environment(provider: str) -> dict[str, str]:
    """What a worker must be told: no telemetry, and the only provider that may run a model."""
    return {TELEMETRY_SWITCH: "1", PROVIDER_VARIABLE: provider}


def check_runtime(host: Host, provider: str = CPU) -> Finding:
    """Whether there is one."""
    reason = missing_runtime(host, provider)
    if reason is not None:
        return Finding("runtime", "problem", reason, f"pip install {_WHEELS[provider][0]}")
    return Finding("runtime", "ok", f"onnxruntime {onnxruntime_version(host, provider)}")


def check_telemetry(host: Host) -> Finding:
    """Whether ONNX Runtime may report usage over the network."""
    version = onnxruntime_version(host)
    if version is None:
        return unknown("telemetry", "its version of onnxruntime")
    if _numbers(version) < _FIRST_WITH_TELEMETRY:
        return Finding("telemetry", "ok", f"onnxruntime {version} sends none")
    shell = os.environ.get(TELEMETRY_SWITCH) == "1" or not host.is_local
    message = (
        f"onnxruntime {version} reports usage over the network unless told not to: off in our "
        f"worker, {'off' if shell else 'on'} in your shell"
    )
    severity: Severity = "ok" if shell else "warning"
    return finding("telemetry", severity, message, f"export {TELEMETRY_SWITCH}=1")


def _debian_version(host: Host, package: str) -> str | None:
    """Of a package that dpkg installed; boards bring their runtimes that way."""
    text = host.run(("dpkg-query", "--show", "--showformat=${Version}", package))
    return text or None


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers, of "1.29.0rc1" for example 1, 29 and 0."""
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, match.group().split("."))) if match else ()
