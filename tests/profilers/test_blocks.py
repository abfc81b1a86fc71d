import json

import pytest
from support.scripted import ScriptedDevice

from profilers.blocks import Block, PointBlock, Sample, Sensors, least_contended, run_block
from profilers.worker_process import WorkerProcess


def block(
    *wall_and_cpu_ms: tuple[float, float],
    threads: int = 1,
    before: Sensors | None = None,
    after: Sensors | None = None,
) -> Block:
    samples = tuple(Sample(wall, cpu, {"model": wall}) for wall, cpu in wall_and_cpu_ms)
    return Block(samples, before or {}, after or {}, threads)


def test_a_block_is_summed_up_by_the_median_of_walls_and_the_mean_of_cpu_times() -> None:
    three = block((1.0, 0.0), (2.0, 0.0), (30.0, 12.0))
    assert three.median_ms == 2.0
    assert three.mean_cpu_ms == 4.0


def test_one_threads_contention_is_wall_over_cpu_time() -> None:
    assert block((10.0, 10.0), (20.0, 10.0)).contention == pytest.approx(1.5)


def test_many_threads_contention_counts_waiting_and_stolen_time() -> None:
    before, after = {"wait_ms": 100.0, "steal_ms": 50.0}, {"wait_ms": 104.0, "steal_ms": 51.0}
    disturbed = block((10.0, 20.0), threads=4, before=before, after=after)
    assert disturbed.contention == pytest.approx((20 + 4 + 1) / 20)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param({}, {}, id="not reported"),
        pytest.param({"wait_ms": None}, {"wait_ms": 5.0}, id="reported once only"),
        pytest.param({"wait_ms": 9.0}, {"wait_ms": 5.0}, id="a thread ended"),
    ],
)
def test_many_threads_are_undisturbed_as_far_as_sensors_tell(
    before: Sensors, after: Sensors
) -> None:
    idle = block((10.0, 20.0), threads=2, before=before, after=after)
    assert idle.contention == 1.0


def test_a_block_without_any_cpu_time_is_contended_and_no_error() -> None:
    assert block((10.0, 0.0)).contention > 1000


def test_the_least_contended_attempt_counts_and_the_earliest_of_equals() -> None:
    attempts = [block((3.0, 2.0)), block((1.1, 1.0)), block((2.2, 2.0))]
    assert least_contended(attempts) is attempts[1]


def test_the_record_keeps_every_attempt_in_order() -> None:
    attempts = (block((3.0, 2.0)), block((1.0, 1.0)), block((9.0, 2.0)))
    point_block = PointBlock(
        attempts=attempts, load_ms=4.0, sentinel_ms=(1.0, 1.1), runtime="r 1", pid=7
    )
    record = json.loads(json.dumps(point_block.record()))
    assert [item["samples"][0]["wall_ms"] for item in record["attempts"]] == [3.0, 1.0, 9.0]
    assert [item["kept"] for item in record["attempts"]] == [False, True, False]
    assert (record["pid"], record["sentinel_ms"], record["restarted"]) == (7, [1.0, 1.1], False)


def test_a_block_is_read_from_the_workers_answer(device: ScriptedDevice) -> None:
    path = device.workload("a", [6.0], contention=[1.5])
    with WorkerProcess(device) as worker:
        worker.request("load", id="point", workload=str(path), threads=1)
        taken = run_block(worker, "point", samples=3, threads=1)
    assert taken.samples == (Sample(6.0, 4.0, {"model": 6.0}),) * 3
    assert taken.contention == pytest.approx(1.5)
