from math import exp, log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.logs import at, write_log
from support.measurements import made_up

from profilers import AnyLog, Comparison, LogError, compare, read_any_log
from profilers.log.rows import format_line

Row = dict[str, Any]


def row(latency_ms: float, half: float = 0.01, **changes: Any) -> Row:
    """A row whose 95 % interval is `half` to each side, on the logarithmic scale."""
    bounds = {"ci_low_ms": latency_ms * exp(-half), "ci_high_ms": latency_ms * exp(half)}
    return {"latency_ms": latency_ms, **bounds, **changes}


def logs(tmp_path: Path, a: list[Row], b: list[Row]) -> tuple[AnyLog, AnyLog]:
    paths = [write_log(tmp_path / f"{name}.csv", *rows) for name, rows in (("a", a), ("b", b))]
    return read_any_log(paths[0]), read_any_log(paths[1])


def scaled(ratios: list[float], half: float = 0.01, **changes: Any) -> list[Row]:
    """Points of 10, 20, ... ms, each times its ratio."""
    return [row(10 * (i + 1) * ratio, half, **changes) for i, ratio in enumerate(ratios)]


def of_ratios(tmp_path: Path, ratios: list[float], **settings: Any) -> Comparison:
    return compare(*logs(tmp_path, scaled([1.0] * len(ratios)), scaled(ratios)), **settings)


@pytest.mark.parametrize(
    ("ratio", "margin", "verdict"),
    [
        (1.0, 0.02, "SAME"),  # 1 * exp(+-0.01414): within 0.9804 to 1.02
        (1.01, 0.02, "AMBIGUOUS"),  # 0.9958 to 1.0244
        (1.0, 0.01, "AMBIGUOUS"),
        (1.05, 0.02, "SLOWER"),
        (0.95, 0.02, "FASTER"),
        (1.05, 0.1, "SAME"),  # slower, but within the margin
        (1.0, 0.0, "AMBIGUOUS"),
    ],
)
def test_one_point_is_judged_by_both_intervals(
    tmp_path: Path, ratio: float, margin: float, verdict: str
) -> None:
    found = of_ratios(tmp_path, [ratio], margin=margin)
    assert (found.verdict, found.margin) == (verdict, margin)
    assert found.ratio == pytest.approx(ratio)
    half = sqrt(2) * 0.01  # in quadrature
    assert (found.low, found.high) == pytest.approx((ratio * exp(-half), ratio * exp(half)))
    (point,) = found.points
    assert (point.point_id, point.a_ms) == ("p0", 10.0)
    assert (point.low, point.high) == pytest.approx((found.low, found.high))


def test_points_that_differ_widen_the_interval(tmp_path: Path) -> None:
    found = of_ratios(tmp_path, [1.0, 1.1, 1.21])
    # log ratios 0, l and 2 l with l = log(1.1): mean l, deviation l; t with 2 degrees is 4.3027.
    half = 4.302653 * log(1.1) / sqrt(3)
    assert found.ratio == pytest.approx(1.1)
    assert (found.low, found.high) == pytest.approx((1.1 * exp(-half), 1.1 * exp(half)))
    assert found.verdict == "AMBIGUOUS"
    assert [point.point_id for point in found.points] == ["p2", "p1", "p0"]


def test_points_that_agree_are_as_uncertain_as_they_were_measured(tmp_path: Path) -> None:
    found = of_ratios(tmp_path, [1.03] * 4)
    half = sqrt(2) * 0.01 / sqrt(4)
    assert (found.low, found.high) == pytest.approx((1.03 * exp(-half), 1.03 * exp(half)))
    assert found.verdict == "SLOWER"


def test_intervals_hold_the_truth_as_often_as_they_say(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(100):
        noise = np.exp(rng.normal(0, 0.01 / 1.96, size=(2, 6)))
        a, b = scaled(noise[0].tolist()), scaled((1.04 * noise[1]).tolist())
        found = compare(*logs(tmp_path, a, b))
        held += found.low <= 1.04 <= found.high
    assert held >= 92  # 95 are due at least, with a standard deviation of 2.2


@pytest.mark.parametrize(
    ("moved", "verdict", "low", "high"),
    [
        # The points moved by 1.1 and so did the machine: maybe nothing is left of it.
        (1.1, "AMBIGUOUS", 1.0, 1.1),
        (1.0, "SLOWER", 1.1, 1.1),
        (0.9, "SLOWER", 1.1, 1.1 / 0.9),
    ],
)
def test_a_machine_that_moved_widens_the_interval(
    tmp_path: Path, moved: float, verdict: str, low: float, high: float
) -> None:
    # Latencies are corrected to the references; what the sentinel was meanwhile does not matter.
    b = scaled([1.1] * 4, sentinel_reference_ms=2.0 * moved, sentinel_ms=7.0)
    found = compare(*logs(tmp_path, scaled([1.0] * 4, sentinel_reference_ms=2.0), b))
    half = sqrt(2) * 0.01 / sqrt(4)
    assert found.sentinel_ratio == pytest.approx(moved)
    assert (found.verdict, found.ratio) == (verdict, pytest.approx(1.1))
    assert (found.low, found.high) == pytest.approx((low * exp(-half), high * exp(half)))


def test_another_sentinel_says_nothing_of_the_machine(tmp_path: Path) -> None:
    b = scaled([1.1] * 4, sentinel_ms=1.1, sentinel="another")
    found = compare(*logs(tmp_path, scaled([1.0] * 4), b))
    assert (found.sentinel_ratio, found.verdict) == (None, "SLOWER")
    assert (
        "no common sentinel shows whether the machine's level changed between the logs"
        in found.notes
    )


def test_logs_without_a_sentinel_column_can_be_compared(tmp_path: Path) -> None:
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for path in paths:
        cells = {k: v for k, v in made_up().row().items() if k not in ("sentinel", "quality")}
        path.write_bytes(format_line(list(cells)) + format_line(list(cells.values())))
    found = compare(*map(read_any_log, paths))
    assert (found.ratio, found.sentinel_ratio) == (1.0, None)


def test_conditions_and_points_that_differ_are_notes(tmp_path: Path) -> None:
    a = [row(10.0, threads=1), row(20.0, threads=1), row(30.0, threads=1)]
    b = [row(10.0, threads=2), row(20.0, threads=2, point_id="new")]
    found = compare(*logs(tmp_path, a, b))
    assert found.notes == (
        "'threads' differs: 1 against 2",
        "2 points are in the first log only",
        "1 point is in the second log only",
        "no common sentinel shows whether the machine's level changed between the logs",
    )
    assert found.sentinel_ratio is None  # threads move the sentinel as well


def test_a_callers_precision_is_a_condition_too(tmp_path: Path) -> None:
    a, b = ([row(10.0, columns={"precision": name})] for name in ("fp32", "int8"))
    assert "'precision' differs: fp32 against int8" in compare(*logs(tmp_path, a, b)).notes


def test_other_workloads_are_refused_unless_forced(tmp_path: Path) -> None:
    pair = logs(
        tmp_path, [row(10.0, columns={"workload": "w"})], [row(10.0, columns={"workload": "v"})]
    )
    with pytest.raises(ValueError, match="'workload' must be the same .* Got w against v. .*--for"):
        compare(*pair)
    assert "'workload' differs: w against v" in compare(*pair, force=True).notes


def test_of_a_point_measured_again_the_last_row_counts(tmp_path: Path) -> None:
    again = [
        row(12.0, point_id="p0", measured_at=at(9)),
        row(99.0, point_id="p0", measured_at=at(3)),
    ]
    assert compare(*logs(tmp_path, [row(10.0)], again)).ratio == pytest.approx(1.2)


def test_two_single_points_are_compared_whatever_their_names(tmp_path: Path) -> None:
    found = compare(*logs(tmp_path, [row(10.0, point_id="x")], [row(11.0, point_id="y")]))
    assert (found.points[0].point_id, found.ratio) == ("x / y", pytest.approx(1.1))


def test_logs_without_a_common_point_are_refused(tmp_path: Path) -> None:
    a, b = [row(10.0, point_id="x")], [row(10.0, point_id="y"), row(11.0, point_id="z")]
    message = "must have a point in common, or one point each. Got 1 and 2 points, none in both."
    with pytest.raises(LogError, match=message):
        compare(*logs(tmp_path, a, b))


def test_logs_of_others_are_refused(tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text("size,latency_ms\n1,2\n")
    other = read_any_log(tmp_path / "o.csv")
    with pytest.raises(LogError, match="o.csv must be a log of `automoe profile`.*Got the columns"):
        compare(other, other)


@pytest.mark.parametrize("column", ["latency_ms", "ci_low_ms", "ci_high_ms"])
@pytest.mark.parametrize("value", [0.0, "nan"])
def test_impossible_values_are_named_with_their_line(
    tmp_path: Path, column: str, value: object
) -> None:
    pair = logs(tmp_path, [row(10.0), row(10.0)], [row(10.0), row(10.0) | {column: value}])
    message = rf"b.csv, line 3: '{column}' must be a positive number. Got '{value}'. See `automoe"
    with pytest.raises(LogError, match=message):
        compare(*pair)


def test_a_negative_margin_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'margin' must be at least 0. Got -0.1."):
        of_ratios(tmp_path, [1.0], margin=-0.1)


def test_limits_count_only_when_the_whole_interval_is_beyond(tmp_path: Path) -> None:
    slower = of_ratios(tmp_path, [1.07])  # 1.055 to 1.085
    assert (slower.is_slower_by(0.05), slower.is_slower_by(0.06)) == (True, False)
    faster = of_ratios(tmp_path, [1 / 1.07])
    assert (faster.is_faster_by(0.05), faster.is_faster_by(0.06)) == (True, False)
    assert not slower.is_faster_by(0.0)
