"""Which board this is, as its firmware told the kernel."""

from devices.host import Host

# The second is a link to the first on real boards, and what a container may hide.
_FOLDERS = ("/sys/firmware/devicetree/base", "/proc/device-tree")


def model(host: Host) -> str:
    """The board's name, e.g. "Raspberry Pi 5 Model B Rev 1.0", or "unknown"."""
    return _property(host, "model") or "unknown"


def compatible(host: Host) -> tuple[str, ...]:
    """What drivers recognise it by, the most special first; none without a device tree.

    The last is the system on chip: "nvidia,tegra234", "brcm,bcm2712".
    """
    text = _property(host, "compatible")
    return tuple(text.split("\0")) if text else ()


def soc(host: Host) -> str | None:
    """The system on chip without its maker, e.g. "tegra234"; None without a device tree."""
    names = compatible(host)
    return names[-1].rpartition(",")[2] if names else None


def _property(host: Host, name: str) -> str | None:
    texts = (host.read_text(f"{folder}/{name}") for folder in _FOLDERS)
    return next((text for text in texts if text), None)
