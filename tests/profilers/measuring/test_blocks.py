import json

import pytest
from support.scripted import ScriptedDevice

from profilers import Protocol
from profilers.measuring.blocks import (
    Block,
    PointBlock,
    Sample,
    Sensors,
    WarmUp,
    least_disturbed,
    run_block,
)
from profilers.workers.local import WorkerProcess


def block(
    *wall_and_cpu_ms: tuple[float, float],
    threads: int = 1,
    before: Sensors | None = None,
    after: Sensors | None = None,
    sentinel_ms: tuple[tuple[float, ...], ...] = (),
) -> Block:
    samples = tuple(Sample(wall, cpu, {"model": wall}) for wall, cpu in wall_and_cpu_ms)
    return Block(samples, before or {}, after or {}, threads, sentinel_ms=sentinel_ms)


def test_a_block_is_summed_up_by_the_median_of_walls_and_the_mean_of_cpu_times() -> None:
    three = block((1.0, 0.0), (2.0, 0.0), (30.0, 12.0))
    assert three.median_ms == 2.0
    assert three.mean_cpu_ms == 4.0


def test_one_threads_contention_is_wall_over_cpu_time() -> None:
    assert block((10.0, 10.0), (20.0, 10.0)).contention == pytest.approx(1.5)


def test_many_threads_contention_counts_waiting_and_stolen_time() -> None:
    before, after = {"wait_ms": 100.0, "steal_ms": 50.0}, {"wait_ms": 104.0, "steal_ms": 80.0}
    disturbed = block((10.0, 20.0), threads=4, before=before, after=after)
    # Of the 30 ms stolen one tick of 10 ms may be an artefact of counting.
    assert disturbed.contention == pytest.approx((20 + 4 + 20) / 20)


def test_counters_are_held_against_the_time_that_they_cover() -> None:
    # The samples took 10 ms, and with the sentinel between them the block took 40.
    before = {"clock_ms": 0.0, "own_ms": 0.0, "wait_ms": 0.0, "pressure_ms": 0.0}
    after = {"clock_ms": 40.0, "own_ms": 40.0, "wait_ms": 4.0, "pressure_ms": 4.0}
    taken = block((10.0, 10.0), before=before, after=after)
    assert taken.contention == pytest.approx(1.1)
    assert taken.pressure == pytest.approx(0.1)


def test_every_group_lies_between_two_readings_of_the_sentinel() -> None:
    taken = block((1.0, 1.0), sentinel_ms=((1.0, 1.2, 9.0), (1.4,), (1.5, 1.7)))
    assert taken.sentinel_pairs_ms == [(1.2, 1.4), (1.4, pytest.approx(1.6))]


def test_a_containers_quota_contends_too() -> None:
    held = block((10.0, 10.0), before={"quota_ms": 5.0}, after={"quota_ms": 9.0})
    assert held.contention == pytest.approx(1.4)


def test_pressure_is_the_share_of_time_in_which_somebody_waited() -> None:
    pressed = block(
        (10.0, 10.0), (30.0, 30.0), before={"pressure_ms": 1.0}, after={"pressure_ms": 5.0}
    )
    assert pressed.pressure == pytest.approx(0.1)


def test_others_are_the_cores_that_the_machine_was_busy_with_beside_us() -> None:
    before = {"machine_ms": 1000.0, "own_ms": 300.0}
    after = {"machine_ms": 1250.0, "own_ms": 400.0}
    taken = block((100.0, 100.0), before=before, after=after)
    # 250 ms less our own 100, less two ticks of 10 ms, in 100 ms.
    assert taken.others == pytest.approx(1.3)
    assert block((100.0, 100.0)).others == 0.0


def test_stolen_time_is_shared_with_the_other_programs_of_the_machine() -> None:
    # 110 ms less a tick were stolen from programs that used 500 ms, and 100 of these are ours.
    before = {"own_ms": 0.0, "machine_ms": 0.0, "steal_ms": 0.0}
    after = {"own_ms": 100.0, "machine_ms": 500.0, "steal_ms": 110.0}
    assert block((100.0, 100.0), before=before, after=after).contention == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("before", "after", "throttled"),
    [
        ({"throttle_events": 4}, {"throttle_events": 4}, False),
        ({"throttle_events": 4}, {"throttle_events": 5}, True),
        ({"throttled_now": False}, {"throttled_now": True}, True),
        ({"throttled_now": None}, {}, False),
    ],
)
def test_throttling_is_a_new_event_or_a_bit_that_is_set(
    before: Sensors, after: Sensors, throttled: bool
) -> None:
    assert block((1.0, 1.0), before=before, after=after).was_throttled is throttled


def test_the_lower_clock_and_the_higher_temperature_count() -> None:
    before, after = {"cpu_mhz": 2000.0, "temperature_c": 50.0}, {"cpu_mhz": 1800.0}
    taken = block((1.0, 1.0), before=before, after=after)
    assert (taken.cpu_mhz, taken.temperature_c) == (1800.0, 50.0)
    assert (block((1.0, 1.0)).cpu_mhz, block((1.0, 1.0)).temperature_c) == (None, None)


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


def test_the_least_disturbed_attempt_counts_and_the_earliest_of_equals() -> None:
    attempts = [block((3.0, 2.0)), block((1.1, 1.0)), block((2.2, 2.0))]
    assert least_disturbed(attempts) is attempts[1]


def test_the_record_keeps_every_attempt_in_order() -> None:
    quiet = block((1.0, 1.0), sentinel_ms=((1.0,), (1.1, 1.2)))
    attempts = (block((3.0, 2.0)), quiet, block((9.0, 2.0)))
    point_block = PointBlock(
        attempts=attempts,
        warm_up=WarmUp(3, 0.5, True, 9.0, 8.0),
        load_ms=4.0,
        runtime="r 1",
        pid=7,
    )
    record = json.loads(json.dumps(point_block.record()))
    assert [item["samples"][0]["wall_ms"] for item in record["attempts"]] == [3.0, 1.0, 9.0]
    assert [item["kept"] for item in record["attempts"]] == [False, True, False]
    assert (record["pid"], record["restarted"]) == (7, False)
    assert record["attempts"][1]["sentinel_ms"] == [[1.0], [1.1, 1.2]]
    assert record["warm_up"]["first_ms"] == 9.0


def test_a_block_is_read_from_the_workers_answer(device: ScriptedDevice) -> None:
    path = device.workload("a", [6.0], contention=[1.5])
    with WorkerProcess(device) as worker:
        worker.request("load", id="point", workload=str(path), threads=1)
        worker.request("load", id="s", workload=str(device.workload("s", [2.0, 3.0])), threads=1)
        taken = run_block(worker, "point", sentinel_id="s", samples=3, protocol=Protocol())
    assert taken.samples == (Sample(6.0, 4.0, {"model": 6.0}),) * 3
    assert taken.contention == pytest.approx(1.5)
    assert taken.sentinel_pairs_ms == [(2.0, 3.0)]
