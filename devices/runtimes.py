"""Which inference runtimes a machine has, found without importing any."""

import os
import re

from devices.host import Host
from devices.linux.checks import finding, unknown
from devices.spec import Device, Facts, Finding, Severity

TELEMETRY_SWITCH = "ORT_DISABLE_TELEMETRY"
PROVIDER_VARIABLE = "AUTOMOE_PROVIDER"  # read by the worker
RUNTIME_VARIABLE = "AUTOMOE_RUNTIME"  # read by the worker of TensorRT
ONNXRUNTIME, TENSORRT, TENSORRT_RTX = RUNTIMES = ("onnxruntime", "tensorrt", "tensorrt-rtx")
CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
_FIRST_WITH_TELEMETRY = (1, 29)
_WHEELS = {
    CPU: ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "ort-nightly"),
    CUDA: ("onnxruntime-gpu", "ort-nightly-gpu"),
}
_TENSORRT_WHEELS = {
    TENSORRT: ("tensorrt", "tensorrt_cu13", "tensorrt_cu12"),
    TENSORRT_RTX: ("tensorrt_rtx",),
}
# The CUDA runtime that its worker loads: NVIDIA's wheels, the toolkit, Debian's package.
CUDA_WHEELS = ("nvidia-cuda-runtime", "nvidia-cuda-runtime-cu12", "nvidia-cuda-runtime-cu11")
_LIBCUDART = ("/usr/local/cuda/lib64/libcudart.so*", "/usr/lib/*/libcudart.so*")
# Of Debian packages: the Python module, as JetPack brings it.
_TENSORRT_MODULE = "python3-libnvinfer"


class UnknownRuntimeError(ValueError):
    """A device does not measure with the runtime asked for."""


def runtime_of(device: Device) -> str:
    """What a device measures with."""
    return str(getattr(device, "runtime", ONNXRUNTIME))


def choose_runtime(device: Device, runtime: str) -> None:
    """Make a device measure with another runtime.

    Raises:
        UnknownRuntimeError: It cannot.
    """
    choices = tuple(getattr(device, "runtime_choices", (ONNXRUNTIME,)))
    if runtime not in choices:
        raise UnknownRuntimeError(
            f"'runtime' of device {device.name!r} must be {' or '.join(choices)}. Got {runtime!r}."
        )
    if runtime != runtime_of(device):
        device.runtime = runtime  # type: ignore[attr-defined]  # it has choices


def onnxruntime_version(host: Host, provider: str = CPU) -> str | None:
    """Of the first installed wheel that can have the execution provider."""
    versions = (host.package_version(name) for name in _WHEELS[provider])
    return next((version for version in versions if version), None)


def tensorrt_version(host: Host, runtime: str = TENSORRT) -> str | None:
    """Of TensorRT, or of TensorRT for RTX, for Python."""
    versions = (host.package_version(name) for name in _TENSORRT_WHEELS[runtime])
    version = next((version for version in versions if version), None)
    if version is None and runtime == TENSORRT:
        return _debian_version(host, _TENSORRT_MODULE)
    return version


def missing_runtime(host: Host, provider: str = CPU, runtime: str = ONNXRUNTIME) -> str | None:
    """Why nothing can be run there, and the remedy; None when the runtime is installed."""
    if runtime != ONNXRUNTIME:
        if tensorrt_version(host, runtime):
            return None
        how = {
            TENSORRT: "install TensorRT's Python module there (JetPack brings it)",
            TENSORRT_RTX: "run there: pip install tensorrt_rtx nvidia-cuda-runtime",
        }
        return f"{_TENSORRT_WHEELS[runtime][0]} is not installed on {host.label}; {how[runtime]}"
    if onnxruntime_version(host, provider):
        return None
    wheel = _WHEELS[provider][0]
    return f"{wheel} is not installed on {host.label}; run there: pip install {wheel}"


def has_libcudart(host: Host) -> bool:
    """Whether the CUDA runtime is installed where it usually is; nothing is loaded."""
    return any(map(host.package_version, CUDA_WHEELS)) or any(map(host.glob, _LIBCUDART))


def describe_runtimes(host: Host) -> Facts:
    """The versions of ONNX Runtime and TensorRT, where they are installed."""
    versions = {
        ONNXRUNTIME: onnxruntime_version(host),
        TENSORRT: tensorrt_version(host) or _debian_version(host, "tensorrt"),
        TENSORRT_RTX: tensorrt_version(host, TENSORRT_RTX),
    }
    return tuple((name, version) for name, version in versions.items() if version)


def worker_environment(provider: str, runtime: str = ONNXRUNTIME) -> dict[str, str]:
    """What a worker must be told: no telemetry, and what alone may run a model."""
    chosen = {} if runtime == ONNXRUNTIME else {RUNTIME_VARIABLE: runtime}
    return {TELEMETRY_SWITCH: "1", PROVIDER_VARIABLE: provider, **chosen}


def check_runtime(host: Host, provider: str = CPU, runtime: str = ONNXRUNTIME) -> Finding:
    """Whether there is one."""
    reason = missing_runtime(host, provider, runtime)
    if reason is not None:
        what, _, remedy = reason.partition("; ")
        return Finding("runtime", "problem", what, remedy)
    if runtime != ONNXRUNTIME:
        name = f"{runtime} {tensorrt_version(host, runtime)}"
        if has_libcudart(host):
            return Finding("runtime", "ok", name)
        message = f"{name}, but the CUDA runtime (libcudart) is in none of its usual places"
        remedy = (
            "install the one that TensorRT was built for (on a Jetson JetPack's; elsewhere pip "
            "install nvidia-cuda-runtime for CUDA 13, nvidia-cuda-runtime-cu12 for 12), or add its "
            "folder to LD_LIBRARY_PATH"
        )
        return Finding("runtime", "warning", message, remedy)
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
