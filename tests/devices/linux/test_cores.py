import pytest
from support.boards import ARM_SERVER, ORIN_NANO, PC, RASPBERRY_PI_4

from devices.linux.arm_cores import arm_core
from devices.linux.cores import describe_caches, describe_cores, shared_cores, usable_cores
from devices.testing import RecordedHost

CPUS = "sys/devices/system/cpu"


@pytest.mark.parametrize(
    ("board", "described"),
    [
        (RASPBERRY_PI_4, "4 x Cortex-A72, up to 1800 MHz"),
        (ORIN_NANO, "6 x Cortex-A78AE, up to 1510 MHz"),
        (ARM_SERVER, "8 x Neoverse-N1, up to 3000 MHz"),
        (PC, "4 x core"),
    ],
)
def test_cores_are_named(tmp_path, board, described):
    assert describe_cores(board.host(tmp_path)) == described


def test_big_and_little_cores_are_told_apart(tmp_path):
    parts = {0: ("0xd05", "250"), 1: ("0xd05", "250"), 2: ("0xd0b", "1024")}
    (tmp_path / "proc").mkdir()
    text = "\n".join(
        f"processor : {n}\nCPU implementer : 0x41\nCPU part : {x}\n" for n, (x, _) in parts.items()
    )
    (tmp_path / "proc/cpuinfo").write_text(text)
    for n, (_, capacity) in parts.items():
        folder = tmp_path / f"sys/devices/system/cpu/cpu{n}"
        folder.mkdir(parents=True)
        (folder / "cpu_capacity").write_text(f"{capacity}\n")
    host = RecordedHost(tmp_path, cpus=(0, 1, 2))
    expected = "2 x Cortex-A55, capacity 250; 1 x Cortex-A76, capacity 1024"
    assert describe_cores(host) == expected


def test_an_unknown_core_is_named_by_its_numbers():
    assert arm_core("0x61", "0x022") == "implementer 0x61 part 0x022"


def test_caches(tmp_path):
    assert describe_caches(ARM_SERVER.host(tmp_path / "a")) == "L1d 64K, L2 1024K"
    assert describe_caches(PC.host(tmp_path / "b")) is None


def test_usable_cores_are_bounded_by_the_quota_and_at_least_one(tree):
    eight = tuple(range(8))
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "250000 100000\n"}
    assert usable_cores(tree(files, eight)) == 2
    assert usable_cores(tree({"sys/fs/cgroup/cpu.max": "50000 100000\n"}, eight)) == 1
    assert usable_cores(tree({"sys/fs/cgroup/cpu.max": "max 100000\n"}, eight)) == 8


def test_shared_cores_are_those_of_usable_processors_only(tree):
    siblings = {0: "0,4", 4: "0,4", 1: "1,5", 5: "1,5", 2: "2-3", 3: "2-3", 6: "6"}
    files = {f"{CPUS}/cpu{n}/topology/thread_siblings_list": x for n, x in siblings.items()}
    assert shared_cores(tree(files, (0, 1, 2, 3, 4, 6))) == ((0, 4), (2, 3))
    assert shared_cores(tree(files, (0, 1, 2))) == ()


def test_without_topology_nobody_knows_which_cores_are_shared(tree):
    assert shared_cores(tree({})) is None
