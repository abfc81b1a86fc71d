from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from support.measurements import made_up
from support.scripted import INFO

from profilers import Point, Protocol
from profilers.log.rows import REQUIRED_COLUMNS
from profilers.measuring.blocks import Block, PointBlock, Sample, WarmUp
from profilers.measuring.drift import SentinelTrack
from profilers.measuring.intervals import Interval
from profilers.measuring.measurement import Measurement, measurement_of, quality_of, stop_reason


def point_block(
    wall_ms: Sequence[float],
    *,
    contention: float = 1.0,
    sentinel_ms: tuple[float, float] = (1.0, 1.0),
    pid: int = 1,
    load_ms: float = 4.0,
    restarted: bool = False,
    settled: bool = True,
) -> PointBlock:
    samples = tuple(
        Sample(wall, wall / contention, {"encode": wall / 4, "decode": wall * 3 / 4})
        for wall in wall_ms
    )
    disturbances = ("contended",) if contention > 1.2 else ()
    block = Block(
        samples,
        {},
        {},
        threads=1,
        sentinel_ms=tuple((reading,) for reading in sentinel_ms),
        disturbances=disturbances,
    )
    return PointBlock(
        attempts=(block,),
        warm_up=WarmUp(3, 0.5, settled, 9.0, 8.0),
        load_ms=load_ms,
        runtime="onnxruntime 1.2.3",
        pid=pid,
        restarted=restarted,
    )


def condense(*blocks: PointBlock, reference_ms: float = 1.0) -> Measurement:
    point = Point(point_id="a", workload=Path("a.json"), columns={"layers": 6})
    track = SentinelTrack(reference_ms)
    for block in blocks:
        for pair in block.kept.sentinel_pairs_ms:
            track.add(*pair)
    return measurement_of(
        point, blocks, protocol=Protocol(), device=INFO, sentinel="s", track=track
    )


def test_a_measurement_is_the_geometric_mean_over_blocks_of_their_medians() -> None:
    # Block medians 10, 12, 11; the samples' own median is 10.
    mean_ms = (10.0 * 12.0 * 11.0) ** (1 / 3)
    measurement = condense(
        point_block([10.0, 10.0, 10.0, 10.0, 99.0], pid=1, load_ms=5.0),
        point_block([9.0, 12.0, 13.0], pid=2, load_ms=3.0),
        point_block([11.0], pid=2, load_ms=4.0),
    )
    assert (measurement.latency_ms, measurement.raw_latency_ms) == pytest.approx((mean_ms, mean_ms))
    assert measurement.call_ms == pytest.approx({"encode": mean_ms / 4, "decode": mean_ms * 3 / 4})
    assert measurement.min_ms == 9.0
    assert measurement.load_ms == 4.0
    counts = (measurement.n_samples, measurement.n_blocks, measurement.n_processes)
    assert counts == (9, 3, 2)
    # The interval is symmetric about it on the logarithmic scale.
    ends_ms = (measurement.ci_low_ms, measurement.ci_high_ms)
    assert ends_ms[0] * ends_ms[1] == pytest.approx(mean_ms**2)
    # Distances from 10: 0 four times, 89, 1, 2, 3, 1.
    assert measurement.mad_ms == 1.0


def test_cpu_time_is_the_median_over_blocks_of_their_means() -> None:
    measurement = condense(
        point_block([10.0, 20.0]), point_block([8.0]), point_block([30.0], contention=1.5)
    )
    assert measurement.cpu_ms == 15.0  # of 15, 8 and 20
    assert measurement.wall_over_cpu == 1.0


def test_the_sentinel_is_compared_with_the_sessions_first() -> None:
    measurement = condense(
        point_block([1.0], sentinel_ms=(2.0, 2.2)),
        point_block([1.0], sentinel_ms=(2.2, 2.4)),
        reference_ms=2.0,
    )
    assert measurement.sentinel_ms == pytest.approx(2.2)
    assert measurement.sentinel_drift == pytest.approx(1.1)


def test_a_drift_that_the_sentinel_shows_is_taken_back() -> None:
    # The machine is 10 % slower than at the reference; sentinel readings agree, so all is real.
    measurement = condense(*[point_block([11.0], sentinel_ms=(2.2, 2.2))] * 3, reference_ms=2.0)
    assert measurement.raw_latency_ms == 11.0
    assert measurement.latency_ms == pytest.approx(10.0)
    assert measurement.ci_low_ms == pytest.approx(10.0)
    assert measurement.call_ms == pytest.approx({"encode": 2.5, "decode": 7.5})
    assert (measurement.flags, measurement.quality) == (("sentinel_drift",), "B")


def test_each_sample_is_corrected_by_the_readings_around_it() -> None:
    # The machine slows down by a fifth after the first of three samples, and stays slow.
    walls_ms, readings_ms = [10.0, 12.0, 12.0], [1.0, 1.0, 1.2, 1.2, 1.2, 1.2]
    samples = tuple(
        Sample(wall, wall, {"encode": wall}, group=2 * i) for i, wall in enumerate(walls_ms)
    )
    block = Block(samples, {}, {}, threads=1, sentinel_ms=tuple((x,) for x in readings_ms))
    blocks = [replace(point_block([1.0]), attempts=(block,))] * 3
    found = condense(*blocks, reference_ms=1.0)
    assert found.raw_latency_ms == 12.0
    # One reading in five pairs disagrees with its partner, so a little of it passes for noise.
    assert found.latency_ms == pytest.approx(10.0, rel=0.04)
    assert found.call_ms == {"encode": found.latency_ms}


@pytest.mark.parametrize(
    ("n_blocks", "half_width", "flags", "expected"),
    [
        (3, 0.019, (), "A"),
        (2, 0.019, (), "B"),
        (3, 0.021, (), "B"),
        (3, 0.01, ("restarted",), "B"),
        (3, 0.051, (), "C"),
        (3, 0.01, ("contended",), "C"),
        (3, 0.01, ("threads", "restarted"), "C"),
    ],
)
def test_the_grade(n_blocks: int, half_width: float, flags: tuple[str, ...], expected: str) -> None:
    assert quality_of(flags, Interval(1.0, 1 + half_width, 1.0), n_blocks) == expected


@pytest.mark.parametrize(
    ("low", "high", "reason"),
    [
        (10.1, 12.0, "decided"),  # wholly above ten
        (9.9, 10.1, None),
        (9.0, 9.9, None),  # below it by less than its width
        (9.0, 9.5, "decided"),
    ],
)
def test_an_interval_decided_against_a_budget_needs_no_more_blocks(
    low: float, high: float, reason: str | None
) -> None:
    protocol = Protocol(decide_ms=10.0, target_half_width=0.001)
    interval = Interval(low, high, (low + high) / 2)
    block = point_block([10.0])
    assert stop_reason([block] * 2, interval, protocol) is None
    assert stop_reason([block] * 3, interval, protocol) == reason


def test_measuring_stops_at_the_target_or_at_a_limit() -> None:
    protocol = Protocol(min_rounds=3, max_rounds=4, max_point_seconds=60)
    narrow, wide = Interval(1.0, 1.0, 1.0), Interval(0.9, 1.1, 1.0)
    block = point_block([10.0])
    assert stop_reason([block] * 2, narrow, protocol) is None
    assert stop_reason([block] * 3, narrow, protocol) == "target"
    assert stop_reason([block] * 3, wide, protocol) is None
    assert stop_reason([block] * 4, wide, protocol) == "rounds"
    slow = point_block([25_000.0])  # and half a second of warm-up
    assert stop_reason([slow] * 2, wide, protocol) is None
    assert stop_reason([slow] * 3, wide, protocol) == "time"


def test_a_sound_measurement_carries_no_flag() -> None:
    assert condense(*[point_block([10.0])] * 3).flags == ()


@pytest.mark.parametrize(
    ("odd", "flag"),
    [
        (point_block([11.0]), "ci_unmet"),
        (point_block([10.0], contention=1.21), "contended"),
        (point_block([10.0], restarted=True), "restarted"),
        (point_block([10.0], settled=False), "unsettled"),
    ],
)
def test_one_odd_block_raises_its_flag(odd: PointBlock, flag: str) -> None:
    assert condense(point_block([10.0]), point_block([10.0]), odd).flags == (flag,)


@pytest.mark.parametrize(("reference_ms", "flags"), [(1.04, ()), (1.06, ("sentinel_drift",))])
def test_drift_is_flagged_beyond_the_limit(reference_ms: float, flags: tuple[str, ...]) -> None:
    blocks = [point_block([10.0])] * 3
    assert condense(*blocks, reference_ms=reference_ms).flags == flags
    assert condense(*blocks, reference_ms=1 / reference_ms).flags == flags


def test_the_row_has_every_required_column_then_the_callers() -> None:
    row = made_up(columns={"layers": 6, "name": "x"}, call_ms={"encode": 1.0, "decode": 2.0}).row()
    assert set(REQUIRED_COLUMNS) <= set(row)
    assert set(row) - set(REQUIRED_COLUMNS) == {"encode_ms", "decode_ms", "layers", "name"}
    assert list(row)[-2:] == ["layers", "name"]
    assert row["device_fingerprint"] == INFO.fingerprint


def test_flags_share_a_cell() -> None:
    assert made_up(flags=("ci_unmet", "contended")).row()["flags"] == "ci_unmet;contended"


@pytest.mark.parametrize("name", ["latency_ms", "model_ms", "threads"])
def test_a_callers_column_must_not_hide_one_of_ours(name: str) -> None:
    with pytest.raises(ValueError, match=rf"'columns' must not reuse .* names. Got \['{name}'\]."):
        made_up(columns={name: 1}).row()


def test_energy_is_in_the_row_where_there_is_a_meter() -> None:
    without = made_up()
    assert not {"energy_mj", "energy_meter"} & without.row().keys()
    row = replace(without, energy_mj=12.5, energy_meter="RAPL package-0").row()
    assert (row["energy_mj"], row["energy_meter"]) == (12.5, "RAPL package-0")
    row = replace(without, energy_mj=None, energy_meter="RAPL package-0").row()
    assert row["energy_mj"] == ""


def test_energy_is_the_median_of_the_blocks_that_know_it() -> None:
    blocks = []
    for energy_mj in (30.0, 10.0, None, 20.0):
        block = point_block([10.0])
        attempts = (replace(block.attempts[0], energy_mj=energy_mj),)
        blocks.append(replace(block, attempts=attempts, energy_meter="RAPL package-0"))
    measured = condense(*blocks)
    assert (measured.energy_mj, measured.energy_meter) == (20.0, "RAPL package-0")
    assert condense(point_block([10.0]), point_block([10.0])).energy_mj is None
