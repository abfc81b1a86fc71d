import pytest

from devices.cpu import CpuDevice
from devices.linux import readers as linux
from devices.linux.checks import check_pressure, check_throttling
from devices.testing import RecordedHost


@pytest.fixture
def tree(tmp_path):
    def write(files, cpus=(0,)):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return RecordedHost(tmp_path, cpus=cpus)

    return write


def test_a_bare_tree_answers_unknown(tree):
    host = tree({})
    assert linux.cpu_model(host) == "unknown"
    assert linux.governor(host) == "unknown"
    assert linux.memory_mb(host) == 0
    for read in (
        linux.available_memory_mb,
        linux.load_average,
        linux.steal_share,
        linux.cpu_quota,
        linux.turbo,
        linux.board_state,
        linux.hypervisor,
        linux.container,
        linux.shared_cores,
        linux.swapped_mb,
        linux.runnable_tasks,
    ):
        assert read(host) is None


def test_cpu_model_on_x86_is_the_first_processors_name(tree):
    root = tree({"proc/cpuinfo": "processor : 0\nmodel name\t: AMD EPYC\n\nprocessor : 1\n"})
    assert linux.cpu_model(root) == "AMD EPYC"


def test_cpu_model_on_arm_is_the_board(tree):
    files = {
        "proc/cpuinfo": "processor : 0\nCPU implementer : 0x41\nCPU part : 0xd0b\n",
        "proc/device-tree/model": "Raspberry Pi 5 Model B\0",
    }
    assert linux.cpu_model(tree(files)) == "Raspberry Pi 5 Model B"


def test_cpu_model_on_an_arm_server_is_that_of_its_cores(tree):
    root = tree({"proc/cpuinfo": "processor : 0\nCPU implementer : 0x41\nCPU part : 0xd0c\n"})
    assert linux.cpu_model(root) == "Neoverse-N1"


def test_what_an_arm_kernel_calls_model_name_is_no_name(tree):
    text = "model name : ARMv8 Processor rev 1 (v8l)\nCPU implementer : 0x41\nCPU part : 0xd42\n"
    assert linux.cpu_model(tree({"proc/cpuinfo": text})) == "Cortex-A78AE"


# Written after the kernel's show_cpuinfo of each architecture; no recordings.
LOONGARCH = """system type\t\t: generic-loongson-machine

processor\t\t: 0
package\t\t\t: 0
CPU Family\t\t: Loongson-64bit
Model Name\t\t: Loongson-3A5000-HV
CPU Revision\t\t: 0x10
ISA\t\t\t: loongarch32 loongarch64

processor\t\t: 1
Model Name\t\t: Loongson-3A5000-HV
"""
POWER = """processor\t: 0
cpu\t\t: POWER9 (architected), altivec supported
clock\t\t: 2750.000000MHz
revision\t: 2.2 (pvr 004e 0202)

processor\t: 1
cpu\t\t: POWER9 (architected), altivec supported

timebase\t: 512000000
platform\t: pSeries
model\t\t: IBM,9009-22A
machine\t\t: CHRP IBM,9009-22A
"""
Z = """vendor_id       : IBM/S390
# processors    : 2
bogomips per cpu: 3033.00
features\t: esan3 zarch stfle msa ldisp eimm dfp edat
cache0          : level=1 type=Data scope=Private size=128K line_size=256 associativity=8
processor 0: version = FF,  identification = 1E6B38,  machine = 3906
processor 1: version = FF,  identification = 1E6B38,  machine = 3906

cpu number      : 0
cpu MHz dynamic : 5208
"""
RISCV = """processor\t: 0
hart\t\t: 1
isa\t\t: rv64imafdc_zicntr_zicsr
mmu\t\t: sv39
uarch\t\t: sifive,u74-mc
mvendorid\t: 0x489
marchid\t\t: 0x8000000000000007
mimpid\t\t: 0x4210427
"""


@pytest.mark.parametrize(
    ("text", "name", "before", "after"),
    [
        (LOONGARCH, "Loongson-3A5000-HV", "3A5000", "3A6000"),
        (POWER, "POWER9 (architected) CHRP IBM,9009-22A", "POWER9", "POWER10"),
        (POWER, "POWER9 (architected) CHRP IBM,9009-22A", "9009-22A", "9105-42A"),
        (Z, "IBM Z, machine 3906", "3906", "3931"),
        (RISCV, "sifive,u74-mc rv64imafdc 0x489 0x8000000000000007 0x4210427", "u74-mc", "p550"),
        (RISCV, "sifive,u74-mc rv64imafdc 0x489 0x8000000000000007 0x4210427", "fdc_", "fdcv_"),
        (RISCV, "sifive,u74-mc rv64imafdc 0x489 0x8000000000000007 0x4210427", "0427", "0428"),
    ],
)
def test_machines_of_other_architectures_are_told_apart(tree, text, name, before, after):
    for board in ({}, {"proc/device-tree/model": "some board,qemu\0"}):
        host = tree({**board, "proc/cpuinfo": text})
        prefix = "some board,qemu, " if board else ""
        assert linux.cpu_model(host) == f"{prefix}{name}"
        first = CpuDevice(host).info().fingerprint
        changed = text.replace(before, after)
        other = CpuDevice(tree({**board, "proc/cpuinfo": changed})).info().fingerprint
        assert other != first


def test_the_serial_number_of_a_mainframe_is_no_part_of_its_name(tree):
    host = tree({"proc/cpuinfo": Z})
    first = CpuDevice(host).info().fingerprint
    assert CpuDevice(tree({"proc/cpuinfo": Z.replace("1E6B38", "2B3C4D")})).info().fingerprint == (
        first
    )


def test_the_governor_is_that_of_every_usable_core(tree):
    names = {0: "performance", 1: "schedutil", 2: "powersave"}
    files = {f"{CPUS}/cpu{n}/cpufreq/scaling_governor": f"{x}\n" for n, x in names.items()}
    assert linux.governor(tree(files, (0,))) == "performance"
    assert linux.governor(tree(files, (0, 1))) == "performance+schedutil"


def test_memory_is_in_mebibytes(tree):
    root = tree({"proc/meminfo": "MemTotal: 2097152 kB\nMemAvailable: 1048576 kB\n"})
    assert linux.memory_mb(root) == 2048
    assert linux.available_memory_mb(root) == 1024


def test_steal_share_counts_the_eighth_field_and_not_guest_time(tree):
    root = tree({"proc/stat": "cpu  50 0 20 20 0 0 0 10 999 999\ncpu0 1 2 3\n"})
    assert linux.steal_share(root) == pytest.approx(0.1)


def test_load_and_pressure(tree):
    files = {
        "proc/loadavg": "1.50 0.70 0.30 2/345 6789\n",
        "proc/pressure/cpu": "some avg10=12.50 avg60=1.00 avg300=0.10 total=99\n",
    }
    assert linux.load_average(tree(files)) == 1.5
    assert check_pressure(tree(files)).message.startswith("tasks waited for a core in 12.5 %")


def test_quota_v2_is_the_tightest_on_the_way_up(tree):
    files = {
        "proc/self/cgroup": "0::/pod/box\n",
        "sys/fs/cgroup/pod/cpu.max": "150000 100000\n",
        "sys/fs/cgroup/pod/box/cpu.max": "max 100000\n",
    }
    assert linux.cpu_quota(tree(files)) == 1.5


def test_quota_v1(tree):
    files = {
        "proc/self/cgroup": "4:memory:/box\n3:cpu,cpuacct:/box\n",
        "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "50000\n",
        "sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
    }
    assert linux.cpu_quota(tree(files)) == 0.5


def test_usable_cores_are_bounded_by_the_quota_and_at_least_one(tree):
    eight = tuple(range(8))
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "250000 100000\n"}
    assert linux.usable_cores(tree(files, eight)) == 2
    assert linux.usable_cores(tree({"sys/fs/cgroup/cpu.max": "50000 100000\n"}, eight)) == 1
    assert linux.usable_cores(tree({"sys/fs/cgroup/cpu.max": "max 100000\n"}, eight)) == 8


CPUS = "sys/devices/system/cpu"


@pytest.mark.parametrize(
    ("file", "text", "on"),
    [
        ("intel_pstate/no_turbo", "0\n", True),
        ("intel_pstate/no_turbo", "1\n", False),
        ("cpufreq/boost", "1\n", True),
        ("cpufreq/boost", "0\n", False),
    ],
)
def test_turbo_of_both_drivers(tree, file, text, on):
    assert linux.turbo(tree({f"{CPUS}/{file}": text})) is on


def test_throttle_events_are_those_of_the_hottest_and_not_of_siblings_twice(tree):
    counts = {("cpu0", "core"): 2, ("cpu1", "core"): 2, ("cpu0", "package"): 5, ("cpu9", "core"): 0}
    files = {
        f"{CPUS}/{cpu}/thermal_throttle/{what}_throttle_count": f"{n}\n"
        for (cpu, what), n in counts.items()
    }
    assert check_throttling(tree(files)).message == "slowed down for heat 5 times since boot"


@pytest.mark.parametrize(
    ("text", "bits"), [("50005\n", 0x50005), ("0x4\n", 4), ("0\n", 0), ("", None), ("-1", None)]
)
def test_board_state_is_hexadecimal(tree, text, bits):
    root = tree({"sys/devices/platform/soc/soc:firmware/get_throttled": text})
    assert linux.board_state(root) == bits


def test_shared_cores_are_those_of_usable_processors_only(tree):
    siblings = {0: "0,4", 4: "0,4", 1: "1,5", 5: "1,5", 2: "2-3", 3: "2-3", 6: "6"}
    files = {f"{CPUS}/cpu{n}/topology/thread_siblings_list": x for n, x in siblings.items()}
    assert linux.shared_cores(tree(files, (0, 1, 2, 3, 4, 6))) == ((0, 4), (2, 3))
    assert linux.shared_cores(tree(files, (0, 1, 2))) == ()


def test_swap_is_what_is_not_free(tree):
    root = tree({"proc/meminfo": "SwapTotal: 2097152 kB\nSwapFree: 1048576 kB\n"})
    assert linux.swapped_mb(root) == 1024


@pytest.mark.parametrize(("field", "others"), [("3/345", 2), ("1/345", 0), ("0/345", 0)])
def test_runnable_tasks_leave_this_one_out(tree, field, others):
    root = tree({"proc/loadavg": f"1.50 0.70 0.30 {field} 6789\n"})
    assert linux.runnable_tasks(root) == others
