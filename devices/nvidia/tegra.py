"""This module asks NVIDIA's software on a Jetson about its release, power mode and GPU."""

import re

from devices.host import Host
from devices.linux import device_tree
from devices.sensors.clocks import gpu_clock_folder
from devices.yaml_json import parse_json

_POWER_MODE = ("nvpmodel", "-q")
_CORE_PACKAGE = ("dpkg-query", "--show", "--showformat=${Version}", "nvidia-l4t-core")
# NVIDIA's release notes, https://developer.nvidia.com/embedded/jetpack-archive.
_JETPACKS = {
    "34.1.1": "5.0.1 DP",
    "35.1": "5.0.2",
    "35.2.1": "5.1",
    "35.3.1": "5.1.1",
    "35.4.1": "5.1.2",
    "35.5": "5.1.3",
    "35.6": "5.1.4",
    "35.6.1": "5.1.5",
    "35.6.2": "5.1.5",
    "35.6.3": "5.1.5",
    "36.2": "6.0 DP",
    "36.3": "6.0",
    "36.4": "6.1",
    "36.4.3": "6.2",
    "36.4.4": "6.2.1",
    "36.4.7": "6.2.1",
    "36.5": "6.2.2",
    "38.4": "7.1",
    "39.2": "7.2",
}
_JETPACK_FAMILIES = {"32.7.": "4.6", "38.2.": "7.0"}  # each family has any number as its last part
# https://developer.nvidia.com/cuda-gpus, by system on chip.
COMPUTE_CAPABILITIES = {
    "tegra210": "5.3",
    "tegra186": "6.2",
    "tegra194": "7.2",
    "tegra234": "8.7",
    "tegra264": "11.0",
}


def tegra_soc(host: Host) -> str | None:
    """Return the system on chip, e.g. "tegra234"; None when the machine is not a Jetson."""
    names = (name.partition("nvidia,tegra") for name in device_tree.compatible(host))
    return next((f"tegra{number}" for start, mark, number in names if mark and not start), None)


def l4t_release(host: Host) -> str | None:
    """Return the release of NVIDIA's Linux, e.g. "36.4.3"; None when it is not installed."""
    text = host.read_text("/etc/nv_tegra_release") or ""
    match = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", text)
    if match:
        return f"{match.group(1)}.{match.group(2)}"
    package = re.match(r"[\d.]+", host.run(_CORE_PACKAGE) or "")
    return package.group() if package else None


def jetpack(release: str) -> str | None:
    """Return the JetPack that came with a release of NVIDIA's Linux; None when it is not known."""
    short = release.removesuffix(".0")
    families = (name for start, name in _JETPACK_FAMILIES.items() if release.startswith(start))
    return _JETPACKS.get(release) or _JETPACKS.get(short) or next(families, None)


def power_mode(host: Host) -> str | None:
    """Return the name that `nvpmodel` gives the mode, e.g. "15W"; None without `nvpmodel`.

    The numbers of modes differ between modules. When `nvpmodel` is not run by root, it may print a
    warning after the name.
    """
    match = re.search(r"^NV Power Mode: (\S+)", host.run(_POWER_MODE) or "", flags=re.M)
    return match.group(1) if match else None


def cuda_version(host: Host) -> str | None:
    """Return the version of the CUDA toolkit that JetPack installed; None when it is missing."""
    try:
        document = parse_json(host.read_text("/usr/local/cuda/version.json") or "")
        return str(document["cuda"]["version"])
    except (ValueError, KeyError, TypeError):
        return None


def is_gpu_clock_held(host: Host) -> bool | None:
    """Return whether the GPU has one clock only; None when the kernel does not say."""
    folder = gpu_clock_folder(host)
    if folder is None:
        return None
    low, high = (host.read_text(f"{folder}/{end}_freq") for end in ("min", "max"))
    return None if low is None or high is None else low == high
