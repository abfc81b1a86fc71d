from collections.abc import Sequence
from pathlib import Path

import pytest
from support.measurements import made_up
from support.scripted import INFO

from profilers import Point, Protocol
from profilers.blocks import Block, PointBlock, Sample
from profilers.measurement import Measurement, measurement_of
from profilers.table import REQUIRED_COLUMNS


def point_block(
    wall_ms: Sequence[float],
    *,
    contention: float = 1.0,
    sentinel_ms: tuple[float, float] = (1.0, 1.0),
    pid: int = 1,
    load_ms: float = 4.0,
    restarted: bool = False,
) -> PointBlock:
    samples = tuple(
        Sample(wall, wall / contention, {"encode": wall / 4, "decode": wall * 3 / 4})
        for wall in wall_ms
    )
    block = Block(samples, {}, {}, threads=1)
    return PointBlock((block,), load_ms, sentinel_ms, "onnxruntime 1.2.3", pid, restarted)


def condense(*blocks: PointBlock, reference_ms: float = 1.0) -> Measurement:
    point = Point(point_id="a", workload=Path("a.json"), columns={"layers": 6})
    return measurement_of(
        point, blocks, protocol=Protocol(), device=INFO, reference_ms=reference_ms
    )


def test_a_measurement_is_the_median_over_blocks_of_their_medians() -> None:
    # Block medians 10, 12, 11; the samples' own median is 10.
    measurement = condense(
        point_block([10.0, 10.0, 10.0, 10.0, 99.0], pid=1, load_ms=5.0),
        point_block([9.0, 12.0, 13.0], pid=2, load_ms=3.0),
        point_block([11.0], pid=2, load_ms=4.0),
    )
    assert measurement.latency_ms == 11.0
    assert measurement.call_ms == {"encode": 2.75, "decode": 8.25}
    assert measurement.min_ms == 9.0
    assert measurement.load_ms == 4.0
    counts = (measurement.n_samples, measurement.n_blocks, measurement.n_processes)
    assert counts == (9, 3, 2)
    assert measurement.ci_low_ms < 11.0 < measurement.ci_high_ms
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


def test_a_sound_measurement_carries_no_flag() -> None:
    assert condense(*[point_block([10.0])] * 3).flags == ()


@pytest.mark.parametrize(
    ("odd", "flag"),
    [
        (point_block([11.0]), "ci_unmet"),
        (point_block([10.0], contention=1.21), "contended"),
        (point_block([10.0], restarted=True), "restarted"),
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
