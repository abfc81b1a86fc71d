"""This module reads the device tree, in which the firmware tells the kernel which board it is."""

from devices.host import Host

# On real boards the second is a link to the first. A container may hide either.
_FOLDERS = ("/sys/firmware/devicetree/base", "/proc/device-tree")


def model(host: Host) -> str:
    """Return the board's name, e.g. "Raspberry Pi 5 Model B Rev 1.0", or "unknown"."""
    return _property(host, "model") or "unknown"


def compatible(host: Host) -> tuple[str, ...]:
    """Return the names by which drivers recognise the board, the most special one first.

    The last one is the system on chip: "nvidia,tegra234", "brcm,bcm2712". Without a device tree
    there are none.
    """
    text = _property(host, "compatible")
    return tuple(text.split("\0")) if text else ()


def soc(host: Host) -> str | None:
    """Return the system on chip without its maker, e.g. "tegra234"; None without a device tree."""
    names = compatible(host)
    return names[-1].rpartition(",")[2] if names else None


def _property(host: Host, name: str) -> str | None:
    texts = (host.read_text(f"{folder}/{name}") for folder in _FOLDERS)
    return next((text for text in texts if text), None)
