"""This module compares two logs: whether the second is faster, slower or the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import fmean, median, stdev
from typing import Final, Literal, NamedTuple

import numpy as np

from devices.rounding import counted, rounded_down, rounded_up
from devices.shown import Shown
from profilers.log.any_log import AnyLog
from profilers.log.conditions import COMPARED, REFUSED_IN_COMPARISON
from profilers.log.log_rows import Row, Rows
from profilers.log.rows import LogError

Verdict = Literal["SAME", "FASTER", "SLOWER", "AMBIGUOUS"]
DEFAULT_MARGIN = 0.02

_NORMAL = 1.959964  # the half-width of a 95 % interval, in standard errors
_NO_SENTINEL = "no common sentinel shows whether the machine's level changed between the logs"
_POSITIVE = ("latency_ms", "ci_low_ms", "ci_high_ms")
_LEVEL = "sentinel_reference_ms"
_OF_SENTINEL = ("sentinel", "device_fingerprint")
# The columns of a log that a comparison needs.
NEEDED: Final = (*COMPARED, *_POSITIVE, _LEVEL, *_OF_SENTINEL, "point_id", "measured_at")


class _Latency(NamedTuple):
    """A latency and the ends of its interval, in milliseconds."""

    ms: float
    low_ms: float
    high_ms: float

    @property
    def standard_error(self) -> float:
        """The standard error of log(latency), as if its interval were a normal one."""
        return log(self.high_ms / self.low_ms) / (2 * _NORMAL)


@dataclass(frozen=True, slots=True)
class PointRatio:
    """One point that is in both logs.

    Attributes:
        point_id: Its identity. When two logs with one point each are compared, it is both
            identities.
        a_ms: The latency in the first log, in milliseconds.
        b_ms: The latency in the second log, in milliseconds.
        ratio: The second latency over the first.
        low: The lower end of the 95 % interval of the ratio, from the intervals of both rows.
        high: The upper end of that interval.
    """

    point_id: str
    a_ms: float
    b_ms: float
    ratio: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, repr=False)
class Comparison(Shown):
    """The comparison of a second log with a first one.

    Attributes:
        verdict: The second log is the SAME within the margin, FASTER, SLOWER, or AMBIGUOUS.
        ratio: The geometric mean, over points, of the second latency over the first.
        low: The lower end of the 95 % interval of the ratio. The interval covers the change of
            the machine's level.
        high: The upper end of that interval.
        margin: The share within which ratios count as the same.
        sentinel_ratio: The sentinel's level in the second log over that in the first; None when
            the logs do not have the same sentinel under the same conditions.
        points: The common points. The one that differs most is the first.
        notes: Remarks about conditions that differ and points that were left out.
    """

    verdict: Verdict
    ratio: float
    low: float
    high: float
    margin: float
    sentinel_ratio: float | None
    points: tuple[PointRatio, ...]
    notes: tuple[str, ...]

    def shown(self) -> dict[str, object]:
        """Return what a reader wants to know, by its name in words."""
        return {
            "verdict": self.verdict,
            "second over first": f"{self.ratio:.4g}",
            "95 % interval": f"{rounded_down(self.low)} to {rounded_up(self.high)}",
            "common points": len(self.points),
            "notes": self.notes,
        }

    def is_slower_by(self, share: float) -> bool:
        """Return whether the whole interval is above 1 + share."""
        return self.low > 1 + share

    def is_faster_by(self, share: float) -> bool:
        """Return whether the whole interval is below 1 / (1 + share)."""
        return self.high < 1 / (1 + share)


def compare(
    a: AnyLog, b: AnyLog, *, margin: float = DEFAULT_MARGIN, force: bool = False
) -> Comparison:
    """Compare the points that two logs have in common. The last row of a point counts.

    A verdict holds whether or not the points changed with the machine's level, see `_ratio`.

    Args:
        a: The first log, which is the reference.
        b: The second log, which is judged.
        margin: Ratios from 1 / (1 + margin) to 1 + margin count as the same.
        force: Whether to compare different workloads.

    Raises:
        LogError: One is not a log of `automoe profile`, a value is impossible, or no point is in
            both.
        ValueError: The workloads differ, or `margin` is negative.
    """
    if margin < 0:
        raise ValueError(f"'margin' must be at least 0. Got {margin:g}. Use e.g. 0.02.")
    left, right = _last_rows(a), _last_rows(b)
    pairs = _pairs(left, right, f"{a.path} and {b.path}")
    rows_a = a.rows.take([place for place, _ in pairs.values()])
    rows_b = b.rows.take([place for _, place in pairs.values()])
    differing = {
        name: texts
        for name in COMPARED
        if (
            texts := _difference(
                *(_values(x, rows, name) for x, rows in ((a, rows_a), (b, rows_b)))
            )
        )
    }
    if not force:
        _require_comparable(differing)
    points = list(map(_point, pairs, _latencies(a, rows_a), _latencies(b, rows_b)))
    # When conditions differ, the sentinel changes by the effect that is compared.
    sentinel_ratio = None if differing else _sentinel_ratio(rows_a, rows_b)
    ratio, low, high = _ratio(points, sentinel_ratio)
    return Comparison(
        verdict=_verdict(low, high, margin),
        ratio=ratio,
        low=low,
        high=high,
        margin=margin,
        sentinel_ratio=sentinel_ratio,
        points=tuple(sorted(points, key=lambda point: -abs(log(point.ratio)))),
        notes=(
            *(f"{name!r} differs: {values}" for name, values in differing.items()),
            *_left_out(left, right, len(pairs)),
            *(() if sentinel_ratio is not None else (_NO_SENTINEL,)),
        ),
    )


def _last_rows(log_: AnyLog) -> dict[str, int]:
    """Return the place of the last row of each point."""
    if not log_.is_ours:
        raise LogError(
            f"{log_.path} must be a log of `automoe profile`, with the interval of each row. "
            f"Got the columns {', '.join(log_.columns[:4])}, ..."
        )
    ids = log_.rows.texts("point_id")
    order = sorted(range(len(ids)), key=log_.rows.texts("measured_at").__getitem__)
    return {ids[place]: place for place in order}


def _pairs(
    left: Mapping[str, int], right: Mapping[str, int], logs: str
) -> dict[str, tuple[int, int]]:
    """Return the places of the rows of each common point in both logs."""
    common = {name: (place, right[name]) for name, place in left.items() if name in right}
    if common:
        return common
    if len(left) == len(right) == 1:
        (a_id, a), (b_id, b) = *left.items(), *right.items()
        return {f"{a_id} / {b_id}": (a, b)}
    raise LogError(
        f"{logs} must have a point in common, or one point each. Got {len(left)} and "
        f"{len(right)} points, none in both. Measure the same architectures into both."
    )


def _values(log_: AnyLog, rows: Rows, name: str) -> list[str]:
    """Return the values of a condition in some rows of a log, sorted."""
    return sorted(set(rows.texts(name))) if name in log_.columns else []


def _difference(values_a: Sequence[str], values_b: Sequence[str]) -> str:
    """Return the values of both logs; empty when they are the same."""
    if values_a == values_b:
        return ""
    return " against ".join(" or ".join(own) or "nothing" for own in (values_a, values_b))


def _require_comparable(differing: Mapping[str, str]) -> None:
    for name in REFUSED_IN_COMPARISON:
        if name in differing:
            raise ValueError(
                f"{name!r} must be the same in both logs. Got {differing[name]}. "
                f"Compare logs of one {name}, or pass --force."
            )


def _left_out(left: Mapping[str, int], right: Mapping[str, int], n_common: int) -> list[str]:
    """Return remarks about the points that are in one log only."""
    counts = {"first": len(left) - n_common, "second": len(right) - n_common}
    return [
        f"{counted(n, 'point is', 'points are')} in the {name} log only"
        for name, n in counts.items()
        if n
    ]


def _latencies(log_: AnyLog, rows: Rows) -> list[_Latency]:
    """Return the latencies of some rows of a log.

    Raises:
        LogError: One or an end of its interval is not above 0.
    """
    columns = [rows.numbers(name) for name in _POSITIVE]
    is_positive = np.logical_and.reduce([own > 0 for own in columns])
    if not is_positive.all():
        raise _not_positive(log_, rows[int(np.argmin(is_positive))])
    return list(map(_Latency._make, zip(*(own.tolist() for own in columns), strict=True)))


def _not_positive(log_: AnyLog, row: Row) -> LogError:
    name = next(name for name in _POSITIVE if not row.number(name) > 0)  # NaN as well
    return LogError(
        f"{log_.path}, line {row.line}: {name!r} must be a positive number. "
        f"Got {row.cells[name]!r}. See `automoe log check {log_.path}`."
    )


def _point(point_id: str, a: _Latency, b: _Latency) -> PointRatio:
    half = _NORMAL * sqrt(a.standard_error**2 + b.standard_error**2)
    ratio = b.ms / a.ms
    return PointRatio(point_id, a.ms, b.ms, ratio, ratio * exp(-half), ratio * exp(half))


def _ratio(
    points: Sequence[PointRatio], sentinel_ratio: float | None
) -> tuple[float, float, float]:
    """Return the geometric mean ratio of the points, and the ends of its 95 % interval.

    The interval of the mean log ratio is the wider one of two. The first comes from the points'
    measurement errors, the second from the differences among the points (Student's t). The first
    alone would overlook a change of only some points. The second alone says nothing about one
    point and little about two.

    Neither interval knows that the machine's level may have changed between the logs, which
    changes all points together. Within a log, latencies are corrected to one level of the
    sentinel, its reference. When both logs have the same sentinel under the same conditions, the
    interval is extended to hold also the ratio that is divided by the ratio of the two references.
    For a log that was measured with `--reference` this extends nothing.

    Args:
        points: The common points.
        sentinel_ratio: The ratio of the sentinel's references; None when it is unknown.
    """
    center, half = _mean(points)
    shifts = (0.0, log(sentinel_ratio or 1))
    return exp(center), exp(center - half - max(shifts)), exp(center + half - min(shifts))


def _mean(points: Sequence[PointRatio]) -> tuple[float, float]:
    """Return the mean log ratio and the half-width of its 95 % interval."""
    from scipy.special import stdtrit  # imported late, as in `profilers.measuring.intervals`

    logs = [log(point.ratio) for point in points]
    n = len(logs)
    halves = [log(point.high / point.low) / 2 for point in points]
    measured = sqrt(sum(half**2 for half in halves)) / n
    if n == 1:
        return logs[0], measured
    scattered = float(stdtrit(n - 1, 0.975)) * stdev(logs) / sqrt(n)
    return fmean(logs), max(measured, scattered)


def _sentinel_ratio(rows_a: Rows, rows_b: Rows) -> float | None:
    for name in _OF_SENTINEL:
        values = {*rows_a.texts(name), *rows_b.texts(name)}
        if len(values) > 1 or "" in values:
            return None
    levels = [rows.numbers(_LEVEL) for rows in (rows_a, rows_b)]
    if not all((own > 0).all() for own in levels):
        return None
    level_a, level_b = (float(median(own.tolist())) for own in levels)
    return level_b / level_a


def _verdict(low: float, high: float, margin: float) -> Verdict:
    if 1 / (1 + margin) <= low and high <= 1 + margin:
        return "SAME"
    if high < 1:
        return "FASTER"
    return "SLOWER" if low > 1 else "AMBIGUOUS"
