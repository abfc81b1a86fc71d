from pathlib import Path

import pytest
from support.small_text import small_space

from automoe.architecture.space import SearchSpace
from automoe.search.expected_time import ExpectedTime, default_jobs
from automoe.settings.search import EvolutionSettings
from devices.testing import RecordedHost

SETTINGS = EvolutionSettings()


def machine(
    folder: Path, *, cores: int, free_mb: int = 100_000, quota: str = "max"
) -> RecordedHost:
    """A machine with so many cores, so much free memory and such a quota."""
    files = {
        "proc/meminfo": f"MemTotal: 200000000 kB\nMemAvailable: {free_mb * 1024} kB\n",
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/cpu.max": f"{quota} 100000\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return RecordedHost(folder, cpus=tuple(range(cores)))


def test_the_time_is_that_of_the_evaluations_shared_by_the_processes() -> None:
    expected = ExpectedTime(n_evaluations=1525, each_s=0.47, jobs=2)
    # This process evaluates for 5 seconds, and then the others start for as long.
    assert expected.seconds == pytest.approx(5 + 5 + (1525 * 0.47 - 5) / 2)
    assert str(expected) == "Up to 1525 evaluations of about 0.47 s on 2 jobs: about 6.1 min."


def test_work_that_is_hardly_longer_gains_nothing_from_more_processes() -> None:
    assert ExpectedTime(n_evaluations=150, each_s=0.04, jobs=8).seconds >= 10


def test_work_of_moments_is_done_in_one_process() -> None:
    expected = ExpectedTime(n_evaluations=30, each_s=0.1, jobs=8)
    assert (expected.n_processes, expected.seconds) == (1, pytest.approx(3.0))
    assert str(expected) == "Up to 30 evaluations of about 0.1 s on 1 job: about 3 s."


@pytest.mark.parametrize(
    ("cores", "quota", "jobs"), [(1, "max", 1), (8, "max", 8), (8, "250000", 2)]
)
def test_one_process_is_started_for_each_usable_core(
    cores: int, quota: str, jobs: int, tmp_path: Path
) -> None:
    host = machine(tmp_path, cores=cores, quota=quota)
    assert default_jobs(small_space(), SETTINGS, host=host) == jobs


def test_no_more_processes_are_started_than_a_generation_has_architectures(tmp_path: Path) -> None:
    few = EvolutionSettings(population=6, parents=2, mutants=3, crossovers=4)
    assert default_jobs(small_space(), few, host=machine(tmp_path, cores=64)) == 7


def test_no_more_processes_are_started_than_the_free_memory_holds(tmp_path: Path) -> None:
    space = SearchSpace.preset("wmt14-en-de", max_experts=6)
    jobs = [
        default_jobs(space, SETTINGS, host=machine(tmp_path, cores=64, free_mb=free_mb))
        for free_mb in (0, 16_000, 64_000)
    ]
    assert jobs[0] == 1
    # Each holds the weights twice while it reads them, and a batch's logits: a few gigabytes.
    assert 2 <= jobs[1] < jobs[2] < 32
