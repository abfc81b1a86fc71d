import os
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support.small_text import small_space, write_corpus
from support.worker_fitness import OfAnotherCopy, Traced, width_of

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.cli.exits import ExitCode, exit_code_of
from automoe.search import (
    Evaluator,
    FitnessCache,
    SearchSettings,
    Verification,
    Workers,
    WorkersUnavailableError,
    result_of,
    search,
    supernet_fitness,
    workers,
    write_result,
)
from automoe.search.fitness.evaluator import OtherFilesError
from automoe.search.state import SearchState
from automoe.search.workers import pool
from automoe.search.workers.cluster import Cluster, WorkerLostError, outcome_of
from automoe.search.workers.pool import HERE, Patience
from automoe.training import TrainingSettings, train_supernet


@pytest.fixture
def some(space: SearchSpace) -> list[Architecture]:
    rng = Random(0)
    return list(dict.fromkeys(space.sample(rng) for _ in range(16)))


def check_all_is_there(
    some: list[Architecture], fitness: Traced, cache: Path, found_workers: Workers
) -> None:
    """Evaluate where a worker is killed in the middle, and lose nothing."""
    seen: list[float | None] = []
    evaluator = Evaluator(fitness, cache=FitnessCache(cache), workers=found_workers)
    found = evaluator(some, seen.append)
    assert fitness.killed() == len(fitness.kills)
    assert list(found.items()) == [(a, width_of(a)) for a in some]
    assert sorted(seen) == sorted(found.values())
    assert len(cache.read_bytes().splitlines()) == len(some)
    assert str(os.getpid()) not in fitness.processes()
    assert len(fitness.processes()) > 1


@pytest.mark.slow
def test_a_killed_process_loses_nothing(some: list[Architecture], tmp_path: Path) -> None:
    fitness = Traced(tmp_path, kills=(some[5].id, some[11].id))
    with workers(3) as found:
        check_all_is_there(some, fitness, tmp_path / "cache", found)


def test_an_early_end_is_no_error_of_the_processes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with workers(2) as found:
        values = found.run_all(time.sleep, [0.3] * 40)
        next(values)
        values.close()
    assert caplog.messages == []


@pytest.mark.slow
def test_processes_that_keep_dying_are_given_up_and_what_was_finished_is_kept(
    some: list[Architecture], tmp_path: Path
) -> None:
    fitness = Traced(tmp_path, kills=(some[5].id,), times=100)
    cache = FitnessCache(tmp_path / "cache")
    with (
        workers(2) as found,
        pytest.raises(WorkersUnavailableError, match="died 3 times in a row") as told,
    ):
        Evaluator(fitness, cache=cache, workers=found)(some)
    assert "\n" not in str(told.value)
    assert exit_code_of(told.value) is ExitCode.NO_DEVICE
    known = FitnessCache(tmp_path / "cache")
    assert [known.get("traced", a.id) for a in some] == [
        None if a is some[5] else width_of(a) for a in some
    ]


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of a cluster find what the tests find."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))


@pytest.fixture
def ray(importable: None) -> Iterator[Any]:
    """A Ray cluster of three workers on this machine."""
    ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'ray[client]'")
    ray.init(num_cpus=3, log_to_driver=False, include_dashboard=False)
    yield ray
    ray.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of Ray, about its own files and sockets
def test_a_killed_worker_of_a_ray_cluster_loses_nothing(
    some: list[Architecture], tmp_path: Path, ray: Any
) -> None:
    fitness = Traced(tmp_path, kills=(some[5].id, some[11].id))
    with workers(cluster="ray") as found:
        assert found.cluster is not None
        assert found.cluster.n_workers == 3
        check_all_is_there(some, fitness, tmp_path / "cache", found)
    assert ray.is_initialized()  # it was not ours to stop


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of Dask, about its own sockets
def test_a_killed_worker_of_a_dask_cluster_loses_nothing(
    some: list[Architecture], tmp_path: Path, importable: None
) -> None:
    reason = "dask is not installed: pip install distributed"
    distributed = pytest.importorskip("distributed", reason=reason)
    fitness = Traced(tmp_path, kills=(some[5].id,))
    with (
        distributed.LocalCluster(
            n_workers=3, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        workers(cluster=cluster.scheduler_address.replace("tcp://", "dask://")) as found,
    ):
        assert found.cluster is not None
        assert found.cluster.n_workers == 3
        check_all_is_there(some, fitness, tmp_path / "cache", found)


@pytest.fixture
def supernet(tmp_path: Path) -> Path:
    settings = TrainingSettings.of(
        updates=8, max_tokens=120, learning_rate=0.01, warmup_updates=2, max_sentence=40
    )
    corpus = write_corpus(tmp_path / "text")
    train_supernet(small_space(), corpus, settings, folder=tmp_path / "supernet")
    return tmp_path / "supernet"


@pytest.mark.slow
def test_four_processes_find_what_one_finds(supernet: Path, latency: Any, tmp_path: Path) -> None:
    space, corpus = small_space(), write_corpus(tmp_path / "text")
    settings = SearchSettings(
        budget_ms=300, population=12, parents=4, mutants=5, crossovers=5, generations=3, halvings=1
    )
    for jobs in (1, 4):
        stages = supernet_fitness(supernet, corpus, halvings=1)
        with workers(jobs) as found:
            outcome = search(
                space,
                settings,
                latency=latency,
                evaluator=Evaluator(*stages, workers=found),
                state=SearchState(tmp_path / f"{jobs}.state.jsonl", "this search"),
            )
        result = result_of(
            Verification(outcome.candidates[0], False, "", {}),
            settings,
            space=space,
            workload=latency.workload,
            device=None,
        )
        write_result(tmp_path / f"{jobs}.json", result)
    for name in ("json", "state.jsonl"):
        assert (tmp_path / f"1.{name}").read_bytes() == (tmp_path / f"4.{name}").read_bytes()
    losses = {c.loss for c in outcome.candidates}
    assert len(losses) > 10  # which the last digits tell apart


class Killed(BaseException):
    """The process is over."""


class Scripted:
    """A cluster in this process, some of whose workers die."""

    def __init__(self, *dies_at: int) -> None:
        self._dies_at, self.n_calls = dies_at, 0
        self.cancelled = 0

    def submit(self, function: Any) -> Any:
        future: Any = Future()
        self.n_calls += 1
        if self.n_calls in self._dies_at:
            future.set_exception(ConnectionResetError("the node is gone"))
            return future
        try:
            future.set_result(outcome_of(function))
        except Killed:
            future.set_exception(ConnectionResetError("the node is gone"))
        return future

    def cluster(self, n_workers: int = 1) -> Cluster:
        def cancel(future: Any) -> None:
            self.cancelled += 1

        return Cluster(self.submit, n_workers, (ConnectionResetError,), cancel)


def doubled(number: int) -> int:
    if number < 0:
        raise LookupError(f"no {number}")
    if number == 0:
        raise Killed
    return 2 * number


def run_on(cluster: Scripted, numbers: list[int]) -> dict[int, int]:
    on_it = Workers(cluster.cluster())
    return dict(on_it.run_all(doubled, numbers))


def test_what_a_lost_worker_left_is_run_again() -> None:
    assert run_on(Scripted(2, 3, 7), [5, 6, 7]) == {0: 10, 1: 12, 2: 14}


@pytest.mark.parametrize("numbers", [[0, 6, 7], [5, 0, 7], [5, 6, 0]])
def test_a_call_that_kills_every_worker_costs_no_other_its_value(numbers: list[int]) -> None:
    on_it = Workers(Scripted().cluster(n_workers=2))
    found: list[tuple[int, int]] = []
    message = "died 3 times in a row before any of 1 evaluations was finished"
    with pytest.raises(WorkersUnavailableError, match=message):
        found.extend(on_it.run_all(doubled, numbers))  # which keeps what came before the error
    assert sorted(found) == [(n, 2 * number) for n, number in enumerate(numbers) if number != 0]


def test_a_cluster_that_loses_every_worker_is_given_up() -> None:
    message = "died 3 times in a row before any of 2 evaluations was finished: the node is gone"
    with pytest.raises(WorkersUnavailableError, match=message):
        run_on(Scripted(*range(100)), [5, 6])


def test_what_a_call_raises_on_a_cluster_is_raised_here() -> None:
    with pytest.raises(LookupError, match="no -1"):
        run_on(Scripted(), [3, -1])


def run_failed(error: Exception) -> None:
    """Run a call of which the cluster says this."""
    future: Any = Future()
    future.set_exception(error)
    cluster = Cluster(lambda call: future, 1, (ConnectionResetError,))
    list(cluster.run({0: lambda: None}))


def test_a_cluster_that_cannot_run_a_call_says_what_it_needs() -> None:
    with pytest.raises(WorkersUnavailableError, match="No module named 'automoe' Every node needs"):
        run_failed(ModuleNotFoundError("No module named 'automoe'"))


def test_a_lost_worker_is_told_from_a_failed_call() -> None:
    with pytest.raises(WorkerLostError, match="gone"):
        run_failed(ConnectionResetError("gone"))


def test_a_worker_that_is_lost_while_calls_are_handed_out_is_told() -> None:
    def submit(call: Any) -> Any:
        raise ConnectionResetError("gone")

    cluster = Cluster(submit, 1, (ConnectionResetError,))
    with pytest.raises(WorkerLostError, match="gone"):
        list(cluster.run({0: lambda: None}))


def test_calls_that_are_not_needed_any_more_are_taken_back() -> None:
    finished, pending = Future[Any](), Future[Any]()
    finished.set_result(outcome_of(lambda: 7))
    futures, cancelled = iter([finished, pending]), list[Future[Any]]()
    cluster = Cluster(lambda call: next(futures), 1, (), cancelled.append)
    values = cluster.run({3: lambda: 7, 4: lambda: 8})
    assert next(values) == (3, 7)
    values.close()
    assert cancelled == [pending]


def test_without_processes_all_is_run_here_in_order() -> None:
    with workers() as found:
        assert found is HERE
        assert list(found.run_all(doubled, [3, 1, 2])) == [(0, 6), (1, 2), (2, 4)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"jobs": 0}, "'jobs' must be at least 1. Got 0"),
        ({"jobs": 2, "cluster": "ray"}, "'jobs' must be 1 with a cluster.* Got 2"),
        ({"cluster": "slurm"}, "'cluster' must be ray, ray://HOST:PORT.* Got 'slurm'"),
        ({"cluster": "ray://host"}, "'cluster' must be .* Got 'ray://host'"),
        ({"cluster": "ray://host:none"}, "'cluster' must be .* Got 'ray://host:none'"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message), workers(**arguments):
        pass


@pytest.mark.parametrize("kind", ["ray", "dask", "tcp"])
def test_a_cluster_that_does_not_answer_is_named(kind: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"{kind}://127.0.0.1:{free.getsockname()[1]}"
        message = f"No cluster answers at '{address}': Connection refused. Check host and port"
        with pytest.raises(WorkersUnavailableError, match=message), workers(cluster=address):
            pass


@pytest.mark.parametrize(
    ("module", "cluster", "package"),
    [
        ("ray", "ray", r"'ray\[client\]'"),
        ("distributed", "tcp://127.0.0.1:{port}", "distributed"),
    ],
)
def test_a_missing_package_is_named(
    module: str, cluster: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = cluster.format(port=server.getsockname()[1])
        message = rf"not installed: pip install {package}\."
        with pytest.raises(WorkersUnavailableError, match=message), workers(cluster=address):
            pass


@pytest.mark.slow
def test_a_worker_with_another_copy_of_the_files_is_refused_as_bad_input(
    some: list[Architecture], tmp_path: Path
) -> None:
    cache = FitnessCache(tmp_path / "cache")
    with workers(2) as found, pytest.raises(OtherFilesError, match="Copy the files") as caught:
        Evaluator(OfAnotherCopy(), cache=cache, workers=found)(some)
    assert exit_code_of(caught.value) is ExitCode.BAD_INPUT
    assert not (tmp_path / "cache").exists()


def test_an_address_of_ipv6_keeps_its_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def noted(address: str) -> Any:
        asked.append(address)
        raise WorkersUnavailableError("asked")

    module = sys.modules[Workers.__module__]  # its name in the package is the function's
    monkeypatch.setattr(module, "require_cluster", lambda cluster: None)
    monkeypatch.setattr(module, "dask_cluster", noted)
    with (
        pytest.raises(WorkersUnavailableError, match="asked"),
        workers(cluster="dask://[::1]:8786"),
    ):
        pass
    assert asked == ["tcp://[::1]:8786"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock on which every call takes two seconds."""
    seconds = iter(range(0, 10_000, 2))
    monkeypatch.setattr(pool, "monotonic", lambda: float(next(seconds)))


def test_workers_start_when_this_process_has_evaluated_for_a_while(clock: None) -> None:
    scripted = Scripted()
    patient = Workers(scripted.cluster(n_workers=2), Patience(5.0))
    assert list(patient.run_all(doubled, [3, 1])) == [(0, 6), (1, 2)]
    assert scripted.n_calls == 0
    # The third call ends after six seconds.
    assert sorted(patient.run_all(doubled, [5, 6, 7])) == [(0, 10), (1, 12), (2, 14)]
    assert scripted.n_calls == 2
    assert sorted(patient.run_all(doubled, [8, 9])) == [(0, 16), (1, 18)]
    assert scripted.n_calls == 4


@pytest.mark.slow
def test_processes_use_one_thread_each_and_do_not_wait_busily(tmp_path: Path) -> None:
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY"]
    with workers(2) as started:
        values = dict(started.run_all(os.getenv, names))
    assert values == {0: "1", 1: "1", 2: "1", 3: "PASSIVE"}
