import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from support.scripted import INFO, CommandDevice, ScriptedDevice

from devices import DeviceUnavailableError
from profilers import (
    FailedPoint,
    Measurement,
    Point,
    ProfilingError,
    Progress,
    Protocol,
    Sentinel,
    measure_one,
    measure_points,
)

PROTOCOL = Protocol(
    samples_per_block=2,
    group_ms=0,
    min_rounds=3,
    max_rounds=5,
    max_block_retries=1,
    timeout_s=60.0,
)


@pytest.fixture
def sentinel(device: ScriptedDevice) -> Path:
    return device.workload("s", [1.0])


def points_of(paths: Sequence[Path]) -> list[Point]:
    return [Point(point_id=path.stem, workload=path) for path in paths]


def measure(
    device: ScriptedDevice,
    *paths: Path,
    sentinel: Path | None,
    protocol: Protocol = PROTOCOL,
    progress: list[Progress] | None = None,
) -> dict[str, Measurement | FailedPoint]:
    """The outcome of every point, by id, in the order they came."""
    outcomes = measure_points(
        points_of(paths),
        device=device,
        protocol=protocol,
        sentinel=Sentinel(name="s", workload=sentinel),
        on_progress=None if progress is None else progress.append,
    )
    return {outcome.point_id: outcome for outcome in outcomes}


def measurement(outcome: Measurement | FailedPoint) -> Measurement:
    assert isinstance(outcome, Measurement), outcome
    return outcome


def test_a_steady_point_is_done_after_the_least_number_of_rounds(
    device: ScriptedDevice, sentinel: Path
) -> None:
    a = measurement(measure(device, device.workload("a", [10.0]), sentinel=sentinel)["a"])
    assert (a.latency_ms, a.flags) == (10.0, ())
    assert (a.n_blocks, a.n_samples) == (3, 6)
    assert a.ci_low_ms == pytest.approx(10.0)
    assert a.device == INFO
    assert a.runtime == "scripted 1.0"


def test_later_rounds_know_the_usual_time_of_a_run(device: ScriptedDevice, sentinel: Path) -> None:
    measure(device, device.workload("a"), sentinel=sentinel)
    for name in ("s", "a"):
        warm_ups = [x for x in device.journal("warmup") if x["workload"] == name]
        # The scripted worker answers that a run takes 10 ms.
        assert [warm_up["usual_ms"] for warm_up in warm_ups] == [None, 10.0, 10.0]


def test_every_round_runs_in_a_fresh_process(device: ScriptedDevice, sentinel: Path) -> None:
    outcomes = measure(device, device.workload("a"), device.workload("b"), sentinel=sentinel)
    assert len(set(device.pids())) == len(device.pids()) == 3
    for outcome in outcomes.values():
        assert measurement(outcome).n_processes == 3
        assert [block["pid"] for block in measurement(outcome).samples] == device.pids()


def test_only_points_that_are_not_known_well_are_measured_further(
    device: ScriptedDevice, sentinel: Path
) -> None:
    # What six steady points scatter counts for the wide one too, but not enough.
    wide = device.workload("wide", [10.0, 10.7, 10.0])
    steady = [device.workload(name) for name in "abcdef"]
    outcomes = measure(device, *steady, wide, sentinel=sentinel)
    assert list(outcomes)[-1] == "wide"
    assert (device.blocks().count("a"), device.blocks().count("wide")) == (3, 5)
    assert measurement(outcomes["wide"]).flags == ("ci_unmet",)
    assert measurement(outcomes["a"]).flags == ()


def test_a_point_stops_in_the_round_in_which_it_becomes_narrow(
    device: ScriptedDevice, sentinel: Path
) -> None:
    # Of 10, 10.1, 10.1 the half width is 1.4 %, of the same and one more 10.1 it is 0.8 %.
    protocol = replace(PROTOCOL, target_half_width=0.01)
    path = device.workload("a", [10.0, 10.1])
    a = measurement(measure(device, path, sentinel=sentinel, protocol=protocol)["a"])
    assert (a.n_blocks, a.flags) == (4, ())


def test_a_contended_point_is_repeated_and_then_flagged(
    device: ScriptedDevice, sentinel: Path
) -> None:
    progress: list[Progress] = []
    path = device.workload("a", contention=[1.0, 3.0, 2.0, 1.0])
    a = measurement(measure(device, path, sentinel=sentinel, progress=progress)["a"])
    assert a.flags == ("contended",)
    assert (a.n_blocks, device.blocks().count("a")) == (3, 4)
    assert [item.event for item in progress].count("retry") == 1
    assert [len(block["attempts"]) for block in a.samples] == [1, 2, 1]


def test_a_point_that_is_quiet_when_repeated_is_not_flagged(
    device: ScriptedDevice, sentinel: Path
) -> None:
    path = device.workload("a", [10.0, 30.0, 10.0], contention=[1.0, 3.0, 1.0])
    a = measurement(measure(device, path, sentinel=sentinel)["a"])
    assert (a.flags, a.latency_ms, a.n_blocks) == ((), 10.0, 3)


def test_a_drifting_sentinel_flags_the_points_it_surrounds(device: ScriptedDevice) -> None:
    # Of each point's three rounds the sentinel is read six times, then the machine slows down.
    drifting = device.workload("s", [1.0] * 6 + [1.1])
    paths = [device.workload("early"), device.workload("late")]
    protocol = replace(PROTOCOL, chunk_size=1)
    outcomes = measure(device, *paths, sentinel=drifting, protocol=protocol)
    assert measurement(outcomes["early"]).flags == ()
    assert measurement(outcomes["late"]).flags == ("sentinel_drift",)
    assert measurement(outcomes["late"]).sentinel_drift == pytest.approx(1.1)


def test_a_crash_costs_one_block_and_leaves_a_flag(device: ScriptedDevice, sentinel: Path) -> None:
    crashing = device.workload("a", faults={"block 1": "crash"})
    outcomes = measure(device, crashing, device.workload("b"), sentinel=sentinel)
    a, b = measurement(outcomes["a"]), measurement(outcomes["b"])
    assert (a.n_blocks, a.flags) == (3, ("restarted",))
    assert (b.n_blocks, b.flags) == (3, ())
    assert len(device.pids()) == 4


def test_a_point_that_cannot_be_measured_fails_and_the_others_go_on(
    device: ScriptedDevice, sentinel: Path
) -> None:
    paths = [
        device.workload("crashing", faults={"block": "crash"}),
        device.workload("refused", faults={"load": "refuse"}),
        device.workload("good"),
    ]
    progress: list[Progress] = []
    outcomes = measure(device, *paths, sentinel=sentinel, progress=progress)
    crashing, refused = outcomes["crashing"], outcomes["refused"]
    assert isinstance(crashing, FailedPoint)
    assert "crashed the worker twice" in crashing.reason
    assert isinstance(refused, FailedPoint)
    assert "load refused by the script" in refused.reason
    assert measurement(outcomes["good"]).n_blocks == 3
    assert {item.point_id for item in progress if item.event == "failed"} == {
        "crashing",
        "refused",
    }
    assert (progress[-1].done, progress[-1].total) == (3, 3)


def test_a_hanging_point_is_given_up_and_the_others_go_on(
    device: ScriptedDevice, sentinel: Path
) -> None:
    protocol = replace(PROTOCOL, timeout_s=2.0)
    hanging = device.workload("a", faults={"block": "hang"})
    good = device.workload("b")
    outcomes = measure(device, hanging, good, sentinel=sentinel, protocol=protocol)
    assert isinstance(outcomes["a"], FailedPoint)
    assert "by not answering 'block' within 2 s" in outcomes["a"].reason
    assert measurement(outcomes["b"]).n_blocks == 3
    for pid in device.pids():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def rounds_of(device: ScriptedDevice, paths: Sequence[Path], seed: int) -> list[list[str]]:
    """The order of points in each round."""
    progress: list[Progress] = []
    protocol = replace(PROTOCOL, seed=seed)
    measure(device, *paths, sentinel=paths[0], protocol=protocol, progress=progress)
    blocks = [item for item in progress if item.event == "block"]
    return [[item.point_id for item in blocks if item.round == number] for number in (1, 2, 3)]


def test_the_order_differs_between_rounds_and_is_reproducible(device: ScriptedDevice) -> None:
    paths = [device.workload(name) for name in "abcdefgh"]
    rounds = rounds_of(device, paths, seed=0)
    assert all(sorted(order) == list("abcdefgh") for order in rounds)
    assert rounds[0] != rounds[1] != rounds[2] != rounds[0]
    assert rounds_of(device, paths, seed=0) == rounds
    assert rounds_of(device, paths, seed=1) != rounds


def test_points_are_interleaved_within_a_chunk_only(device: ScriptedDevice, sentinel: Path) -> None:
    paths = [device.workload(name) for name in "abc"]
    protocol = replace(PROTOCOL, chunk_size=2)
    measure(device, *paths, sentinel=sentinel, protocol=protocol)
    blocks = device.blocks()
    assert [sorted(blocks[start : start + 2]) for start in (0, 2, 4)] == [["a", "b"]] * 3
    assert blocks[6:] == ["c", "c", "c"]


def test_a_point_is_prepared_once_and_only_when_its_chunk_begins(
    device: ScriptedDevice, sentinel: Path
) -> None:
    prepared: list[str] = []

    def point(name: str) -> Point:
        def prepare() -> Path:
            prepared.append(name)
            return device.workload(name)

        return Point(point_id=name, prepare=prepare)

    outcomes = measure_points(
        [point("a"), point("b")],
        device=device,
        protocol=replace(PROTOCOL, chunk_size=1),
        sentinel=Sentinel(workload=sentinel),
    )
    assert prepared == []
    assert next(outcomes).point_id == "a"
    assert prepared == ["a"]
    assert next(outcomes).point_id == "b"
    assert prepared == ["a", "b"]


def test_a_point_that_cannot_be_prepared_fails_and_the_others_go_on(
    device: ScriptedDevice,
) -> None:
    def prepare() -> Path:
        raise OSError("disk full")

    points = [
        Point(point_id="a", prepare=prepare, columns={"layers": 6}),
        Point(point_id="b", workload=device.workload("b")),
    ]
    failed, measured = measure_points(points, device=device, protocol=PROTOCOL)
    assert failed == FailedPoint("a", "Preparing it failed. OSError: disk full", {"layers": 6})
    assert measurement(measured).n_blocks == 3


def test_without_a_sentinel_the_first_point_serves(device: ScriptedDevice) -> None:
    a, b = device.workload("a", [10.0]), device.workload("b", [20.0])
    outcomes = measure(device, a, b, sentinel=None)
    assert [measurement(outcomes[name]).sentinel_ms for name in "ab"] == [10.0, 10.0]


def test_progress_tells_what_has_just_been_done(device: ScriptedDevice, sentinel: Path) -> None:
    progress: list[Progress] = []
    path = device.workload("a", faults={"block 0": "crash"})
    measure(device, path, sentinel=sentinel, progress=progress)
    assert [(item.event, item.round, item.done, item.median_ms) for item in progress] == [
        ("restart", 1, 0, None),
        ("block", 1, 0, 10.0),
        ("block", 2, 0, 10.0),
        ("block", 3, 0, 10.0),
        ("done", 3, 1, 10.0),
    ]
    assert {(item.min_rounds, item.rounds, item.target) for item in progress} == {
        (PROTOCOL.min_rounds, PROTOCOL.max_rounds, PROTOCOL.target_half_width)
    }
    assert [item.stop_reason for item in progress] == [*[""] * 4, "target"]
    # The interval of two blocks is known when the third one is told.
    assert [item.half_width is None for item in progress] == [True, True, True, False, False]


def test_leaving_the_session_early_ends_its_worker(device: ScriptedDevice, sentinel: Path) -> None:
    # A point that fails is told at once, while the round's process lives.
    paths = [device.workload(name, faults={"load": "refuse"}) for name in "ab"]
    outcomes = measure_points(
        points_of(paths), device=device, protocol=PROTOCOL, sentinel=Sentinel(workload=sentinel)
    )
    next(outcomes)
    os.kill(device.pids()[-1], 0)  # it is there
    outcomes.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(device.pids()[-1], 0)


def test_two_points_of_one_id_are_refused_before_anything_is_measured(
    device: ScriptedDevice,
) -> None:
    path = device.workload("a")
    points = points_of([path, path])
    with pytest.raises(ValueError, match=r"'points' must have unique ids. Got \['a'\] more than"):
        measure_points(points, device=device, protocol=PROTOCOL)
    assert device.pids() == []


def test_an_unavailable_device_is_refused_before_anything_is_measured(
    device: ScriptedDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "unavailable_reason", lambda: "it is switched off")
    with pytest.raises(
        DeviceUnavailableError, match="Device 'scripted' is unavailable: it is switched off."
    ):
        measure_points([], device=device, protocol=PROTOCOL)


def test_a_session_in_which_no_worker_starts_ends(tmp_path: Path) -> None:
    device = CommandDevice("raise SystemExit('no interpreter')")
    points = points_of([tmp_path / "a.json"])
    with pytest.raises(ProfilingError, match="No worker starts .*no interpreter"):
        list(measure_points(points, device=device, protocol=PROTOCOL))


def test_one_workload_is_measured_under_the_name_of_its_file(device: ScriptedDevice) -> None:
    one = measure_one(device.workload("translate", [5.0]), device=device, protocol=PROTOCOL)
    assert (one.point_id, one.latency_ms) == ("translate", 5.0)


def test_one_workload_that_cannot_be_measured_is_an_error(
    device: ScriptedDevice, sentinel: Path
) -> None:
    path = device.workload("a", faults={"warmup": "refuse"})
    with pytest.raises(ProfilingError, match="warmup refused by the script"):
        measure_one(path, device=device, protocol=PROTOCOL, sentinel=Sentinel(workload=sentinel))


def test_more_threads_than_cores_are_refused(device: ScriptedDevice) -> None:
    with pytest.raises(ValueError, match="'threads' must be at most the 2 cores .* Got 3."):
        measure_points([], device=device, protocol=replace(PROTOCOL, threads=3))


def test_the_tokens_of_each_expert_are_asked_for_once(
    device: ScriptedDevice, sentinel: Path
) -> None:
    path = device.workload("a", tokens_per_expert={"encoder.expert_0": [3, 5]})
    a = measurement(measure(device, path, sentinel=sentinel)["a"])
    assert a.tokens_per_expert == {"encoder.expert_0": (3, 5)}
    assert [item["workload"] for item in device.journal("routing")] == ["a"]


def test_a_first_point_that_cannot_be_run_leaves_its_place_as_the_sentinel(
    device: ScriptedDevice,
) -> None:
    bad = device.workload("bad", faults={"load": "refuse"})
    outcomes = measure(device, bad, device.workload("b"), device.workload("c"), sentinel=None)
    failed = outcomes["bad"]
    assert isinstance(failed, FailedPoint)
    assert failed.reason.endswith("RuntimeError: load refused by the script")
    assert [measurement(outcomes[name]).sentinel for name in "bc"] == ["b", "b"]


def test_a_session_goes_on_with_an_earlier_ones_reference(device: ScriptedDevice) -> None:
    earlier = Sentinel(name="s", workload=device.workload("s", [1.1]), reference_ms=1.0)
    path = device.workload("a", [11.0])
    (outcome,) = measure_points(
        points_of([path]), device=device, protocol=PROTOCOL, sentinel=earlier
    )
    a = measurement(outcome)
    assert (a.latency_ms, a.raw_latency_ms) == (pytest.approx(10.0), 11.0)
    assert (a.sentinel, a.sentinel_reference_ms) == ("s", 1.0)


def test_a_point_ends_when_its_time_is_up(device: ScriptedDevice, sentinel: Path) -> None:
    # Half a second of warm-up, and samples of ten seconds.
    protocol = replace(PROTOCOL, max_point_seconds=30.0)
    path = device.workload("a", [10_000.0, 14_000.0])
    a = measurement(measure(device, path, sentinel=sentinel, protocol=protocol)["a"])
    assert (a.n_blocks, a.stop_reason, a.flags) == (2, "time", ("ci_unmet",))


def test_a_sentinel_that_crashes_once_is_started_again(device: ScriptedDevice) -> None:
    sentinel = device.workload("s", [1.0], faults={"load 0": "crash"})
    a = measurement(measure(device, device.workload("a"), sentinel=sentinel)["a"])
    assert (a.n_blocks, a.flags, len(device.pids())) == (3, (), 4)


def test_a_sentinel_that_is_replaced_leaves_nothing_behind(device: ScriptedDevice) -> None:
    # The first point runs in the first round, and from the second round on it cannot be loaded.
    paths = [
        device.workload("a", [60.0], faults={f"load {n}": "refuse" for n in range(2, 9)}),
        device.workload("b", [10.0]),
        device.workload("c", [11.0]),
    ]
    outcomes = measure(device, *paths, sentinel=None)
    assert isinstance(outcomes["a"], FailedPoint)
    rows = [measurement(outcomes[name]) for name in "bc"]
    assert [row.latency_ms for row in rows] == pytest.approx([10.0, 11.0])
    assert {(row.sentinel, row.sentinel_reference_ms) for row in rows} == {("b", 10.0)}


def test_a_given_level_is_that_of_one_sentinel_only(device: ScriptedDevice) -> None:
    # The level is the first point's. It is wrong for the second one, which takes its place.
    broken = device.workload("a", faults={"load": "refuse"})
    points = points_of([broken, device.workload("b", [11.0])])
    outcomes = measure_points(
        points, device=device, protocol=PROTOCOL, sentinel=Sentinel(reference_ms=60.0)
    )
    _, b = outcomes
    assert measurement(b).latency_ms == pytest.approx(11.0)
    again = measure_points(
        points[1:], device=device, protocol=PROTOCOL, sentinel=Sentinel(reference_ms=22.0)
    )
    assert measurement(next(again)).latency_ms == pytest.approx(22.0)


def test_the_whole_movement_of_the_sentinel_is_taken_out_of_every_row(
    device: ScriptedDevice,
) -> None:
    # The machine becomes slower by a fifth, after the level was fixed by the first point's rounds.
    slower = device.workload("s", [1.0] * 6 + [1.2])
    points = [device.workload("early", [10.0]), device.workload("late", [12.0])]
    protocol = replace(PROTOCOL, chunk_size=1)
    outcomes = measure(device, *points, sentinel=slower, protocol=protocol)
    early, late = measurement(outcomes["early"]), measurement(outcomes["late"])
    assert (early.latency_ms, early.sentinel_drift) == pytest.approx((10.0, 1.0))
    assert (late.latency_ms, late.sentinel_drift) == pytest.approx((10.0, 1.2))
