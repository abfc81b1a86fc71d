"""What disturbs measurements on a Linux host: one check each, with its remedy.

Every check takes the host to ask and answers with one finding.
"""

from collections.abc import Callable

from devices.host import Host
from devices.linux import readers as linux
from devices.sensors.processor import quota_stops, temperature_c
from devices.spec import Finding, Severity

_MIN_AVAILABLE_MB = 512
_MAX_STEAL_SHARE = 0.01
_MAX_PRESSURE_PERCENT = 5.0
_MAX_TEMPERATURE_C = 80.0  # boards slow down from here on, larger processors some degrees later
_MAX_SWAPPED_MB = 100  # less is what the kernel tidies away on an idle host
_BOARD_BITS = ("too little voltage", "capped clock", "throttling", "temperature limit")


def check_load(host: Host) -> Finding:
    """Work over the last minute."""
    load, cores = linux.load_average(host), linux.usable_cores(host)
    if load is None:
        return unknown("load", "the load average")
    message = f"load average {load:.2f} on {cores} usable cores"
    severity: Severity = "ok" if load <= 0.5 else "problem" if load > cores else "warning"
    return finding("load", severity, message, "stop other programs before measuring")


def check_runnable(host: Host) -> Finding:
    """Work at this moment."""
    others, cores = linux.runnable_tasks(host), linux.usable_cores(host)
    if others is None:
        return unknown("runnable", "its runnable tasks")
    message = f"{others} other tasks are running or waiting, for {cores} usable cores"
    severity = _warn_if(2 * others >= cores)
    return finding("runnable", severity, message, "find them with 'top' and stop them")


def check_governor(host: Host) -> Finding:
    """Whether the clock follows the load."""
    mode = linux.governor(host)
    if mode == "unknown":
        return unknown("governor", "the cpufreq governor (usual in a virtual machine)")
    remedy = "sudo cpupower frequency-set -g performance"
    return finding("governor", _warn_if(mode != "performance"), f"governor {mode}", remedy)


def check_turbo(host: Host) -> Finding:
    """Whether the clock follows temperature and the work of other cores."""
    on = linux.turbo(host)
    if on is None:
        return unknown("turbo", "whether turbo is on")
    message = "turbo is on: the clock depends on heat and on other cores" if on else "turbo is off"
    remedy = (
        "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo, or "
        "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost"
    )
    return finding("turbo", _warn_if(on), message, remedy)


def check_throttling(host: Host) -> Finding:
    """Whether the processor slowed down for heat."""
    events = linux.throttle_events(host)
    if events is None:
        return unknown("throttling", "thermal throttling")
    message = f"slowed down for heat {events} times since boot"
    remedy = "improve the cooling, and see that this count does not grow while measuring"
    return finding("throttling", _warn_if(events > 0), message, remedy)


def check_board(host: Host) -> Finding:
    """Voltage and heat as a Raspberry Pi's firmware sees them."""
    bits = linux.board_state(host)
    if bits is None:
        return unknown("board", "the state of a Raspberry Pi")
    now = [name for i, name in enumerate(_BOARD_BITS) if bits >> i & 1]
    before = [name for i, name in enumerate(_BOARD_BITS, start=16) if bits >> i & 1]
    remedy = "use the board's own power supply and a fan, then restart it"
    if now:
        return Finding("board", "problem", f"now: {', '.join(now)} ({bits:#x})", remedy)
    if before:
        return Finding("board", "warning", f"since boot: {', '.join(before)} ({bits:#x})", remedy)
    return Finding("board", "ok", f"enough voltage and never too hot ({bits:#x})")


def check_temperature(host: Host) -> Finding:
    """The hottest sensor."""
    degrees = temperature_c(host)
    if degrees is None:
        return unknown("temperature", "its temperature")
    severity = _warn_if(degrees >= _MAX_TEMPERATURE_C)
    remedy = "let it cool down, and improve the cooling"
    return finding("temperature", severity, f"{degrees:.1f} °C", remedy)


def check_quota(host: Host) -> Finding:
    """Whether a container may use only a part of each moment."""
    quota = linux.cpu_quota(host)
    if quota is None:
        return Finding("quota", "ok", "no cgroup CPU quota")
    remedy = "pin cores (docker --cpuset-cpus) instead of a quota, which pauses the process"
    return Finding("quota", "warning", f"a cgroup quota grants {quota:.2f} cores", remedy)


def check_quota_stops(host: Host) -> Finding:
    """Whether a quota did pause processes of this container."""
    stops = quota_stops(host)
    if stops is None:
        return unknown("quota-stops", "pauses by a CPU quota")
    n_stops, seconds = stops
    message = f"a quota paused this cgroup {n_stops} times, {seconds:.1f} s in all"
    remedy = "use fewer threads than the quota grants, or pin cores instead"
    return finding("quota-stops", _warn_if(n_stops > 0), message, remedy)


def check_host(host: Host) -> Finding:
    """Virtual machine, container or neither."""
    virtual, container = linux.hypervisor(host), linux.container(host)
    inside = f", in a container ({container})" if container else ""
    if virtual is None and not container:
        return unknown("host", "whether it is a virtual machine")
    if virtual:
        remedy = "prefer a bare-metal or dedicated host; neighbours are not visible from here"
        return Finding("host", "warning", f"a virtual machine{inside}", remedy)
    kind = "may be a virtual machine" if virtual is None else "no virtual machine"
    return Finding("host", "ok", f"{kind}{inside}")


def check_siblings(host: Host) -> Finding:
    """Whether two usable processors are one core."""
    cores = linux.shared_cores(host)
    if cores is None:
        return unknown("siblings", "which processors share a core")
    if not cores:
        return Finding("siblings", "ok", "every usable processor is a core of its own")
    first = ",".join(map(str, cores[0]))
    message = f"usable processors share {len(cores)} cores, such as {first}"
    remedy = f"pin one of each: taskset -c {','.join(str(core[0]) for core in cores)} automoe ..."
    return Finding("siblings", "warning", message, remedy)


def check_memory(host: Host) -> Finding:
    """Room for a model."""
    available = linux.available_memory_mb(host)
    if available is None:
        return unknown("memory", "the available memory")
    severity: Severity = "problem" if available < _MIN_AVAILABLE_MB else "ok"
    return finding("memory", severity, f"{available} MB available", "free some memory")


def check_swap(host: Host) -> Finding:
    """Memory that must be read back from a disk."""
    swapped = linux.swapped_mb(host)
    if swapped is None:
        return unknown("swap", "its swap")
    severity = _warn_if(swapped > _MAX_SWAPPED_MB)
    remedy = "free some memory, then: sudo swapoff -a && sudo swapon -a"
    return finding("swap", severity, f"{swapped} MB in swap", remedy)


def check_steal(host: Host) -> Finding:
    """Time that a hypervisor gave to others."""
    share = linux.steal_share(host)
    if share is None:
        return unknown("steal", "stolen CPU time")
    message = f"{share:.1%} of CPU time since boot was stolen by the hypervisor"
    severity = _warn_if(share > _MAX_STEAL_SHARE)
    return finding("steal", severity, message, "use a dedicated or a bare-metal host")


def check_pressure(host: Host) -> Finding:
    """Time that tasks waited for a core."""
    percent = linux.cpu_pressure(host)
    if percent is None:
        return unknown("pressure", "CPU pressure (PSI)")
    message = f"tasks waited for a core in {percent:.1f} % of the last 10 s"
    severity = _warn_if(percent > _MAX_PRESSURE_PERCENT)
    return finding("pressure", severity, message, "stop other programs before measuring")


CHECKS: tuple[Callable[[Host], Finding], ...] = (
    check_load,
    check_runnable,
    check_governor,
    check_turbo,
    check_throttling,
    check_board,
    check_temperature,
    check_quota,
    check_quota_stops,
    check_host,
    check_siblings,
    check_memory,
    check_swap,
    check_steal,
    check_pressure,
)


def finding(check: str, severity: Severity, message: str, remedy: str) -> Finding:
    """A finding that names its remedy only when there is something to do."""
    return Finding(check, severity, message, "" if severity == "ok" else remedy)


def unknown(check: str, what: str) -> Finding:
    """A host that does not say is not at fault."""
    return Finding(check, "ok", f"unknown: this host does not report {what}")


def _warn_if(disturbed: bool) -> Severity:
    return "warning" if disturbed else "ok"
