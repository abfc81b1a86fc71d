"""This module reads the CPU quotas of this process's cgroups: what they grant and have stopped."""

from __future__ import annotations

from typing import List, Optional, Tuple

from devices.sensors.machine import Machine


def cpu_quota(machine: Machine) -> Optional[float]:
    """Return how many cores the tightest cgroup above this process grants; None without a limit."""
    quotas = [_quota_v2(machine, folder) for folder in cgroup_folders(machine, "")]
    quotas += [_quota_v1(machine, folder) for folder in cgroup_folders(machine, "cpu")]
    return min((quota for quota in quotas if quota is not None), default=None)


def quota_stops(machine: Machine) -> Optional[Tuple[int, float]]:
    """Return how often CPU quotas have stopped this process, and for how many seconds.

    The quotas are those of its cgroup and of all above it. Return None when none is reported.
    """
    folders = cgroup_folders(machine, "") + cgroup_folders(machine, "cpu")
    stops = [stop for stop in (_quota_stop(machine, folder) for folder in folders) if stop]
    return (sum(n for n, _ in stops), sum(s for _, s in stops)) if stops else None


def cgroup_folders(machine: Machine, controller: str) -> List[str]:
    """Return the folders of this process's cgroup and of all above it.

    Args:
        machine: The machine.
        controller: The controller of a version 1 hierarchy, or "" for the unified one (version 2).
    """
    for line in (machine.read_text("/proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            top = "/".join(filter(None, ("/sys/fs/cgroup", controller)))
            names = [name for name in path.split("/") if name]
            return ["/".join([top, *names[:depth]]) for depth in range(len(names), -1, -1)]
    return []


def _quota_v2(machine: Machine, folder: str) -> Optional[float]:
    quota, _, period = (machine.read_text(folder + "/cpu.max") or "max 100000").partition(" ")
    return None if quota == "max" else int(quota) / int(period)


def _quota_v1(machine: Machine, folder: str) -> Optional[float]:
    quota = int(machine.read_text(folder + "/cpu.cfs_quota_us") or -1)
    period = int(machine.read_text(folder + "/cpu.cfs_period_us") or 100_000)
    return None if quota < 0 else quota / period


def _quota_stop(machine: Machine, folder: str) -> Optional[Tuple[int, float]]:
    lines = (machine.read_text(folder + "/cpu.stat") or "").splitlines()
    fields = {name: int(value) for name, _, value in (line.partition(" ") for line in lines)}
    if "nr_throttled" not in fields:
        return None
    # Version 2 counts microseconds, version 1 nanoseconds.
    seconds = fields.get("throttled_usec", 0) / 1e6 + fields.get("throttled_time", 0) / 1e9
    return fields["nr_throttled"], seconds
