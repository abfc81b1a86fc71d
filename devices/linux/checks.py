"""These checks look for what disturbs measurements on a Linux machine.

Every check asks one host and returns one finding, with its remedy.
"""

from collections.abc import Callable

from devices.host import Host
from devices.linux.clock_settings import governor, turbo
from devices.linux.cores import shared_cores, usable_cores
from devices.linux.memory import available_memory_mb, swapped_mb
from devices.linux.virtualisation import container, hypervisor
from devices.sensors.cpu_quota import cpu_quota, quota_stops
from devices.sensors.load import cpu_pressure, load_average, runnable_tasks, steal_share
from devices.sensors.temperature import temperature_c
from devices.sensors.throttling import BOARD_STATE, board_bits, throttle_counts
from devices.spec import Finding, Severity, finding, unknown, warning_if

_MIN_AVAILABLE_MB = 512
_MAX_STEAL_SHARE = 0.01
_IDLE_LOAD, _IDLE_SHARE = 0.5, 0.2  # tasks in all, and tasks for each usable core
_MAX_PRESSURE_PERCENT = 5.0
_MAX_TEMPERATURE_C = (
    80.0  # boards slow down from this temperature on, larger processors a bit later
)
_MAX_SWAPPED_MB = 100  # the kernel swaps a little even on an idle machine
_ASK_BOARD = ("vcgencmd", "get_throttled")
_BOARD_BITS = ("too little voltage", "capped clock", "throttling", "temperature limit")


def check_load(host: Host) -> Finding:
    """Check whether the machine was busy during the last minute."""
    load, cores = load_average(host), usable_cores(host)
    if load is None:
        return unknown("load", "the load average")
    message = f"load average {load:.2f} on {cores} usable cores"
    is_idle = load <= max(_IDLE_LOAD, _IDLE_SHARE * cores)
    severity: Severity = "ok" if is_idle else "problem" if load > cores else "warning"
    return finding("load", severity, message, "stop other programs before measuring")


def check_runnable(host: Host) -> Finding:
    """Check whether the machine is busy at this moment."""
    others, cores = runnable_tasks(host), usable_cores(host)
    if others is None:
        return unknown("runnable", "its runnable tasks")
    message = f"{others} other tasks are running or waiting, for {cores} usable cores"
    is_busy = 2 * others >= cores
    return warning_if(is_busy, "runnable", message, "find them with 'top' and stop them")


def check_governor(host: Host) -> Finding:
    """Check whether the clock follows the load."""
    mode = governor(host)
    if mode == "unknown":
        return unknown("governor", "the cpufreq governor (usual in a virtual machine)")
    remedy = "sudo cpupower frequency-set -g performance"
    return warning_if(mode != "performance", "governor", f"governor {mode}", remedy)


def check_turbo(host: Host) -> Finding:
    """Check whether the clock depends on temperature and on the work of other cores."""
    on = turbo(host)
    if on is None:
        return unknown("turbo", "whether turbo is on")
    message = "turbo is on: the clock depends on heat and on other cores" if on else "turbo is off"
    remedy = (
        "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo, or "
        "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost"
    )
    return warning_if(on, "turbo", message, remedy)


def check_throttling(host: Host) -> Finding:
    """Check whether the processor has slowed down because it was hot."""
    events = max(throttle_counts(host), default=None)
    if events is None:
        return unknown("throttling", "thermal throttling")
    message = f"slowed down for heat {events} times since boot"
    remedy = "improve the cooling, and check that this count does not grow while measuring"
    return warning_if(events > 0, "throttling", message, remedy)


def board_state(host: Host) -> int | None:
    """Return the bits that a Raspberry Pi's firmware sets when it slows down; see `board_bits`."""
    return board_bits(host.read_text(BOARD_STATE) or host.run(_ASK_BOARD))


def check_board(host: Host) -> Finding:
    """Check the voltage and the heat that a Raspberry Pi's firmware reports."""
    bits = board_state(host)
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
    """Check the temperature of the hottest sensor."""
    degrees = temperature_c(host)
    if degrees is None:
        return unknown("temperature", "its temperature")
    is_hot, remedy = degrees >= _MAX_TEMPERATURE_C, "let it cool down, and improve the cooling"
    return warning_if(is_hot, "temperature", f"{degrees:.1f} °C", remedy)


def check_quota(host: Host) -> Finding:
    """Check whether a container may use the processor only for a part of the time."""
    quota = cpu_quota(host)
    if quota is None:
        return Finding("quota", "ok", "no cgroup CPU quota")
    remedy = "pin cores (docker --cpuset-cpus) instead of a quota, which pauses the process"
    return Finding("quota", "warning", f"a cgroup quota grants {quota:.2f} cores", remedy)


def check_quota_stops(host: Host) -> Finding:
    """Check whether a quota has paused processes of this container."""
    stops = quota_stops(host)
    if stops is None:
        return unknown("quota-stops", "pauses by a CPU quota")
    n_stops, seconds = stops
    message = f"a quota paused this cgroup {n_stops} times, {seconds:.1f} s in all"
    remedy = "use fewer threads than the quota grants, or pin cores instead"
    return warning_if(n_stops > 0, "quota-stops", message, remedy)


def check_host(host: Host) -> Finding:
    """Check whether the machine is a virtual machine or a container."""
    virtual, kind_of_container = hypervisor(host), container(host)
    inside = f", in a container ({kind_of_container})" if kind_of_container else ""
    if virtual is None and not kind_of_container:
        return unknown("host", "whether it is a virtual machine")
    if virtual:
        remedy = (
            "prefer a bare-metal or dedicated host: other virtual machines are not visible here"
        )
        return Finding("host", "warning", f"a virtual machine{inside}", remedy)
    kind = "may be a virtual machine" if virtual is None else "not a virtual machine"
    return Finding("host", "ok", f"{kind}{inside}")


def check_siblings(host: Host) -> Finding:
    """Check whether two usable processors are threads of one core."""
    cores = shared_cores(host)
    if cores is None:
        return unknown("siblings", "which processors share a core")
    if not cores:
        return Finding("siblings", "ok", "every usable processor is a core of its own")
    first = ",".join(map(str, cores[0]))
    message = f"usable processors share {len(cores)} cores, such as {first}"
    remedy = f"pin one of each: taskset -c {','.join(str(core[0]) for core in cores)} automoe ..."
    return Finding("siblings", "warning", message, remedy)


def check_memory(host: Host) -> Finding:
    """Check whether there is room for a model in memory."""
    available = available_memory_mb(host)
    if available is None:
        return unknown("memory", "the available memory")
    severity: Severity = "problem" if available < _MIN_AVAILABLE_MB else "ok"
    return finding("memory", severity, f"{available} MB available", "free some memory")


def check_swap(host: Host) -> Finding:
    """Check whether memory lies in swap, from where it must be read back."""
    swapped = swapped_mb(host)
    if swapped is None:
        return unknown("swap", "its swap")
    remedy = "free some memory, then: sudo swapoff -a && sudo swapon -a"
    return warning_if(swapped > _MAX_SWAPPED_MB, "swap", f"{swapped} MB in swap", remedy)


def check_steal(host: Host) -> Finding:
    """Check whether a hypervisor gave CPU time to other machines."""
    share = steal_share(host)
    if share is None:
        return unknown("steal", "stolen CPU time")
    message = f"{share:.1%} of CPU time since boot was stolen by the hypervisor"
    remedy = "use a dedicated or a bare-metal host"
    return warning_if(share > _MAX_STEAL_SHARE, "steal", message, remedy)


def check_pressure(host: Host) -> Finding:
    """Check whether tasks had to wait for a core."""
    percent = cpu_pressure(host).get("avg10")
    if percent is None:
        return unknown("pressure", "CPU pressure (PSI)")
    message = f"tasks waited for a core in {percent:.1f} % of the last 10 s"
    remedy = "stop other programs before measuring"
    return warning_if(percent > _MAX_PRESSURE_PERCENT, "pressure", message, remedy)


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
