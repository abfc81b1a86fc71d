from pathlib import Path

from support.recorded import recorded

from devices.sensors.cpu_quota import cpu_quota, quota_stops


def test_quota_stops_v2_add_up_on_the_way_up(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/pod/box\n",
        "sys/fs/cgroup/cpu.stat": "usage_usec 9\nuser_usec 9\n",
        "sys/fs/cgroup/pod/cpu.stat": "usage_usec 9\nnr_throttled 3\nthrottled_usec 250000\n",
        "sys/fs/cgroup/pod/box/cpu.stat": "nr_throttled 4\nthrottled_usec 1000000\n",
    }
    assert quota_stops(recorded(tmp_path, files)) == (7, 1.25)


def test_quota_stops_v1_are_in_nanoseconds(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "3:cpu,cpuacct:/box\n",
        "sys/fs/cgroup/cpu/box/cpu.stat": "nr_periods 9\nnr_throttled 2\nthrottled_time 500000000",
    }
    assert quota_stops(recorded(tmp_path, files)) == (2, 0.5)


def test_quota_v2_is_the_tightest_on_the_way_up(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/pod/box\n",
        "sys/fs/cgroup/pod/cpu.max": "150000 100000\n",
        "sys/fs/cgroup/pod/box/cpu.max": "max 100000\n",
    }
    assert cpu_quota(recorded(tmp_path, files)) == 1.5


def test_quota_v1(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "4:memory:/box\n3:cpu,cpuacct:/box\n",
        "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "50000\n",
        "sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
    }
    assert cpu_quota(recorded(tmp_path, files)) == 0.5


def test_a_machine_that_says_nothing(tmp_path: Path) -> None:
    assert cpu_quota(recorded(tmp_path, {})) is None
    assert quota_stops(recorded(tmp_path, {})) is None
