"""This module says which inference runtimes a machine has, without importing one."""

import os
import re
from collections.abc import Sequence

from devices.host import Host
from devices.spec import Device, Facts, Finding, known_facts, unknown, warning_if

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
# Where TensorRT's worker finds the CUDA runtime: wheels, the toolkit, Debian's package.
CUDA_WHEELS = ("nvidia-cuda-runtime", "nvidia-cuda-runtime-cu12", "nvidia-cuda-runtime-cu11")
_LIBCUDART = ("/usr/local/cuda/lib64/libcudart.so*", "/usr/lib/*/libcudart.so*")
# The Debian package in which JetPack brings the Python module.
_TENSORRT_MODULE = "python3-libnvinfer"


class UnknownRuntimeError(ValueError):
    """The device cannot be measured with the runtime that was asked for."""


def runtime_of(device: Device) -> str:
    """Return the runtime that a device is measured with."""
    return str(getattr(device, "runtime", ONNXRUNTIME))


def choose_runtime(device: Device, runtime: str) -> None:
    """Set the runtime that a device is measured with.

    Raises:
        UnknownRuntimeError: The device cannot be measured with it.
    """
    choices = tuple(getattr(device, "runtime_choices", (ONNXRUNTIME,)))
    if runtime not in choices:
        raise UnknownRuntimeError(
            f"'runtime' of device {device.name!r} must be {' or '.join(choices)}. Got {runtime!r}."
        )
    if runtime != runtime_of(device):
        device.runtime = runtime  # type: ignore[attr-defined]  # a device with choices has it


def first_version(host: Host, wheels: Sequence[str]) -> str | None:
    """Return the version of the first of these wheels that is installed; None without one."""
    return next(filter(None, map(host.package_version, wheels)), None)


def onnxruntime_version(host: Host, provider: str = CPU) -> str | None:
    """Return the version of the first installed wheel that can have the execution provider."""
    return first_version(host, _WHEELS[provider])


def tensorrt_version(host: Host, runtime: str = TENSORRT) -> str | None:
    """Return the version of TensorRT, or TensorRT for RTX, for Python; None when it is missing."""
    version = first_version(host, _TENSORRT_WHEELS[runtime])
    if version is None and runtime == TENSORRT:
        return _debian_version(host, _TENSORRT_MODULE)
    return version


def missing_runtime(host: Host, provider: str = CPU, runtime: str = ONNXRUNTIME) -> str | None:
    """Return why nothing can be run there, with the remedy; None when the runtime is installed."""
    if runtime != ONNXRUNTIME:
        if tensorrt_version(host, runtime):
            return None
        how = {
            TENSORRT: "JetPack brings it; elsewhere run there: pip install tensorrt",
            TENSORRT_RTX: "run there: pip install tensorrt_rtx nvidia-cuda-runtime",
        }
        return f"{_TENSORRT_WHEELS[runtime][0]} is not installed on {host.label}; {how[runtime]}"
    if onnxruntime_version(host, provider):
        return None
    wheel = _WHEELS[provider][0]
    return f"{wheel} is not installed on {host.label}; run there: pip install {wheel}"


def has_libcudart(host: Host) -> bool:
    """Return whether the CUDA runtime is in one of its usual places. Nothing is loaded."""
    return any(map(host.package_version, CUDA_WHEELS)) or any(map(host.glob, _LIBCUDART))


def describe_runtimes(host: Host) -> Facts:
    """Return the versions of ONNX Runtime and TensorRT, where they are installed."""
    versions = {
        ONNXRUNTIME: onnxruntime_version(host),
        TENSORRT: tensorrt_version(host) or _debian_version(host, "tensorrt"),
        TENSORRT_RTX: tensorrt_version(host, TENSORRT_RTX),
    }
    return known_facts(versions)


def worker_environment(provider: str, runtime: str = ONNXRUNTIME) -> dict[str, str]:
    """Return the worker's variables: no telemetry, and which provider and runtime it must use."""
    chosen = {} if runtime == ONNXRUNTIME else {RUNTIME_VARIABLE: runtime}
    return {TELEMETRY_SWITCH: "1", PROVIDER_VARIABLE: provider, **chosen}


def check_runtime(host: Host, provider: str = CPU, runtime: str = ONNXRUNTIME) -> Finding:
    """Check whether the runtime is installed."""
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
    """Check whether ONNX Runtime may report usage over the network."""
    version = onnxruntime_version(host)
    if version is None:
        return unknown("telemetry", "its version of onnxruntime")
    if _numbers(version) < _FIRST_WITH_TELEMETRY:
        return Finding("telemetry", "ok", f"onnxruntime {version} sends none")
    shell = os.environ.get(TELEMETRY_SWITCH) == "1" or not host.is_local
    message = (
        f"onnxruntime {version} reports usage over the network by default: off in the "
        f"worker, {'off' if shell else 'on'} in your shell"
    )
    return warning_if(not shell, "telemetry", message, f"export {TELEMETRY_SWITCH}=1")


def _debian_version(host: Host, package: str) -> str | None:
    """Return the version of a Debian package; None when it is missing.

    Boards bring their runtimes as such packages.
    """
    text = host.run(("dpkg-query", "--show", "--showformat=${Version}", package))
    return text or None


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: 1, 29 and 0 for "1.29.0rc1"."""
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, match.group().split("."))) if match else ()
