import pytest

from devices import linux


@pytest.fixture
def tree(tmp_path):
    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def test_a_bare_tree_answers_unknown(tmp_path):
    assert linux.cpu_model(tmp_path) == "unknown"
    assert linux.governor(tmp_path) == "unknown"
    assert linux.memory_mb(tmp_path) == 0
    for read in (
        linux.available_memory_mb,
        linux.load_average,
        linux.steal_share,
        linux.cpu_pressure,
        linux.cpu_quota,
    ):
        assert read(tmp_path) is None


def test_cpu_model_on_x86_is_the_first_processors_name(tree):
    root = tree({"proc/cpuinfo": "processor : 0\nmodel name\t: AMD EPYC\n\nprocessor : 1\n"})
    assert linux.cpu_model(root) == "AMD EPYC"


def test_cpu_model_on_arm_is_the_board(tree):
    files = {
        "proc/cpuinfo": "processor : 0\nCPU implementer : 0x41\nCPU part : 0xd0b\n",
        "proc/device-tree/model": "Raspberry Pi 5 Model B\0",
    }
    assert linux.cpu_model(tree(files)) == "Raspberry Pi 5 Model B"


def test_cpu_model_on_an_arm_server_is_the_part_number(tree):
    root = tree({"proc/cpuinfo": "processor : 0\nCPU implementer : 0x41\nCPU part : 0xd0c\n"})
    assert linux.cpu_model(root) == "implementer 0x41 part 0xd0c"


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
    assert linux.cpu_pressure(tree(files)) == 12.5


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


def test_usable_cores_are_bounded_by_the_quota_and_at_least_one(tree, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)))
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "250000 100000\n"}
    assert linux.usable_cores(tree(files)) == 2
    assert linux.usable_cores(tree({"sys/fs/cgroup/cpu.max": "50000 100000\n"})) == 1
    assert linux.usable_cores(tree({"sys/fs/cgroup/cpu.max": "max 100000\n"})) == 8
