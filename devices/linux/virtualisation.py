"""This module tells whether a machine is virtual, and whether this process is in a container."""

import re

from devices.host import Host
from devices.linux.processor_name import cpuinfo

_CONTAINER_FILES = {"/.dockerenv": "docker", "/run/.containerenv": "podman"}
_CONTAINERS = re.compile(r"docker|podman|libpod|kubepods|containerd|lxc")


def hypervisor(host: Host) -> bool | None:
    """Return whether this is a virtual machine; None when the processor does not say."""
    if host.glob("/proc/device-tree/hypervisor") or host.glob("/sys/hypervisor/type"):
        return True
    flags = cpuinfo(host)[0].get("flags")
    return None if flags is None else "hypervisor" in flags.split()


def container(host: Host) -> str | None:
    """Return the kind of container that this process is in; None when nothing points to one."""
    for name, kind in _CONTAINER_FILES.items():
        if host.glob(name):
            return kind
    hint = _CONTAINERS.search(host.read_text("/proc/self/cgroup") or "")
    return hint.group() if hint else host.read_text("/run/systemd/container")
