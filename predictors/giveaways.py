"""This module finds columns that give the latency away: results whose names do not say so.

A result, such as a throughput or another statistic of the same measurement, holds the noise of the
latency. An input cannot, because it was known before. So a column is taken for a result when its
product or its quotient with the latency follows from the other columns, while neither of the two
does by itself, or when it moves with the latency among rows that are otherwise alike. Columns of
whole sizes, of few levels, and those whose names speak of an input are never suspected, except
that a number of FLOPs may be FLOPs per second: then its product with the latency follows.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls

from predictors.features import FeatureSchema
from predictors.table import TableError, numbers, source
from profilers.log.column_names import kind_of_name, words

Vector = NDArray[np.float64]

_LEAST_DIGITS = 3
_LEAST_VALUES = 10
_MOST_ROWS = 2000
_MOST_SQUARED = 12  # columns whose products are explanations too
_MOST_FACTORS = 12
_EXACT = 0.01  # the relative spread of a constant that two results share
_CLOSE = 0.03
_SHARE = 0.25  # of the spread of each that may remain in their combination
_EXPLAINED = 0.5  # of the spread of a column that the other columns must explain
_LEAST_PAIRS = 8
_LEAST_ROWS = 20
_SMALL = 0.3  # of the spread of a column is noise; an input differs as much as anywhere
_ALIKE = 0.8  # the correlation of two results of one measurement
_NOISE = 0.005  # latencies that are explained better than this need no other explanation
# Names of parts of a model: their sizes are whole numbers, and a time of each is not.
_PARTS = frozenset(
    {"ffn", "mlp", "kernel", "rank", "stage", "stages", "layer", "layers", "block", "blocks"}
    | {"head", "heads", "embed", "expert", "experts", "input", "inputs", "output", "outputs"}
    | {"prompt", "context"}
)
_NEARLY = 0.1  # the relative spread of a quotient that only a person can judge
_LEAST_SHARE = 0.01  # of the latency that a part of a sum has
_WORK_OR_RATE = frozenset({"flop", "flops", "gflop", "gflops", "mflops"})
_RIDGES = 10.0 ** np.arange(-7, 3)
_FLOOR = 1e-9


@dataclass(frozen=True, slots=True)
class _Suspect:
    """A column that may be a result.

    Attributes:
        name: Its name.
        log: The logarithms of its values, or its values when some are not above 0, shape (rows,).
        is_whole: Whether all its values are whole numbers.
        is_positive: Whether all its values are above 0.
    """

    name: str
    log: Vector
    is_whole: bool
    is_positive: bool

    def at(self, rows: NDArray[np.int64]) -> "_Suspect":
        """Return the suspect in some of the rows."""
        return replace(self, log=self.log[rows])


def giveaways(
    frame: pd.DataFrame, schema: FeatureSchema, latency_ms: Vector, targets: Sequence[str]
) -> dict[str, str]:
    """Return the features that are results by their values, with the reason for each.

    Args:
        frame: The usable rows.
        schema: The features by their names.
        latency_ms: The latency of each row, shape (rows,).
        targets: The target columns.

    Raises:
        TableError: A cell of a feature is unusable, or all features are results.
    """
    if len(frame) > _MOST_ROWS:
        kept = np.random.default_rng(0).permutation(len(frame))[:_MOST_ROWS]
        frame, latency_ms = frame.iloc[kept], latency_ms[kept]
    suspects = _suspects(frame, schema, latency_ms, targets)
    rates = _suspects(frame, schema, latency_ms, targets, kind="input")
    if not suspects and not rates:
        return {}
    names = {suspect.name for suspect in suspects}
    matrix = schema.matrix(frame)[:, : sum(len(f.columns) for f in schema.features)]
    owner = [feature.name for feature in schema.features for _ in feature.columns]
    known = matrix[:, [name not in names for name in owner]]
    y = np.log(latency_ms)
    once = np.unique(matrix, axis=0, return_index=True)[1]  # a repeated row explains itself
    alike, factors = _alike(known), _factors(matrix, owner, names)
    reasons = _parts_of_sum(suspects, latency_ms)
    reasons |= {
        suspect.name: reason
        for suspect in suspects
        if suspect.name not in reasons
        and (
            reason := _moves_with(suspect, y, alike)
            or _makes_constant(suspect, y, factors)
            or _cancels(suspect.at(once), y[once], known[once])
        )
    }
    left = {x.name: x.log for x in suspects if x.name not in reasons}
    for suspect in suspects:  # a suspect that is none may explain the latency beside another one
        if suspect.name not in left:
            continue
        others = {x: log for x, log in left.items() if x not in (suspect.name, *reasons)}
        beside = matrix[:, [name not in (suspect.name, *reasons) for name in owner]]
        reason = _makes_constant(suspect, y, others, times=False)
        if not reason and suspect.is_positive and _is_constant(y - suspect.log):  # as of a clock
            reason = _cancels(suspect.at(once), y[once], beside[once])
        reasons |= {suspect.name: reason} if reason else {}
    without = names | {rate.name for rate in rates}
    known = matrix[:, [name not in without for name in owner]][once]
    factors = _factors(matrix, owner, without)
    for rate in rates:
        reason = _makes_constant(rate, y, factors, times=False)
        reason = reason or _cancels(rate.at(once), y[once], known, times=False)
        reasons |= {rate.name: reason} if reason else {}
    _require_others(frame, schema, reasons)
    return reasons


def nearly_determining(
    frame: pd.DataFrame, schema: FeatureSchema, latency_ms: Vector, targets: Sequence[str]
) -> tuple[str, ...]:
    """Return a sentence for each feature that is nearly in proportion to the latency.

    Only columns of measured-looking numbers are named whose names do not clear them. Their values
    do not tell whether they are times of a part or an input that explains the latency well.

    Args:
        frame: The usable rows.
        schema: The features that are used.
        latency_ms: The latency of each row, shape (rows,).
        targets: The target columns.
    """
    y = np.log(latency_ms)
    quotients = {
        suspect.name: _spread(y - suspect.log)
        for suspect in _suspects(frame, schema, latency_ms, targets)
        if suspect.is_positive
    }
    least = min(_NEARLY, _SHARE * _spread(y))
    return tuple(
        f"{name!r} nearly determines the latency: their quotient varies by {spread:.1%}. If it was "
        "measured with the latency, name all features but it with --feature"
        for name, spread in quotients.items()
        if spread < least
    )


def _require_others(frame: pd.DataFrame, schema: FeatureSchema, reasons: dict[str, str]) -> None:
    """Check that there are features besides those that look like results.

    Raises:
        TableError: All look like results.
    """
    if all(feature.name in reasons for feature in schema.features):
        listed = "; ".join(f"'{name}': {reason}" for name, reason in reasons.items())
        raise TableError(
            f"{source(frame)}: every column that could be a feature looks like a result "
            f"({listed}). Add columns of what was known before measuring, or name a feature "
            "with --feature."
        )


def _suspects(
    frame: pd.DataFrame,
    schema: FeatureSchema,
    latency_ms: Vector,
    targets: Sequence[str],
    *,
    kind: Literal["unclear", "input"] = "unclear",
) -> list[_Suspect]:
    """Return the columns of measured-looking numbers whose names do not clear them.

    Args:
        frame: The usable rows.
        schema: The features by their names.
        latency_ms: The latency of each row, shape (rows,).
        targets: The target columns.
        kind: The kind that a column has by its name. Of the inputs, only numbers of FLOPs may be
            results.
    """
    cleared = set(schema.physics.roles.values()) if schema.physics else set()
    least = max(_LEAST_VALUES, len(np.unique(latency_ms)) // 2)
    suspects = []
    for feature in schema.features:
        is_list = feature.kind == "list" and feature.name not in frame
        is_open = (is_list or feature.kind == "numeric") and feature.name not in cleared
        named = kind_of_name(feature.name, targets)
        is_part = kind == "unclear" and named == "input" and _names_part(feature.name)
        if not is_open or not (named == kind or is_part):
            continue
        if kind == "input" and _WORK_OR_RATE.isdisjoint(words(feature.name)):
            continue
        values = numbers(frame, f"{feature.name}.mean" if is_list else feature.name)
        is_whole = bool((values == np.round(values)).all())
        if len(np.unique(values)) < least or (is_part and is_whole):
            continue
        digits = [len(f"{x:.12g}".replace(".", "").strip("0")) for x in values]
        if np.median(digits) >= _LEAST_DIGITS:
            is_positive = bool((values > 0).all())
            logs = np.log(values) if is_positive else values
            suspects.append(_Suspect(feature.name, logs, is_whole, is_positive))
    return suspects


def _names_part(name: str) -> bool:
    """Return whether a name says a part of a model and nothing else: `ffn`, `layer_3`."""
    own = [word for word in words(name) if not word.isdigit()]
    return bool(own) and _PARTS.issuperset(own)


def _parts_of_sum(suspects: Sequence[_Suspect], latency_ms: Vector) -> dict[str, str]:
    """Return the columns that add up to the latency, but for a constant, in any unit of time."""
    values = {x.name: np.exp(x.log) if x.is_positive else x.log for x in suspects}
    values = {name: column for name, column in values.items() if (column >= 0).all()}
    if len(values) < 2 or _spread(np.log(latency_ms)) < _CLOSE:
        return {}
    shares = np.column_stack([*values.values(), np.ones(len(latency_ms))]) / latency_ms[:, None]
    prices, _ = nnls(shares, np.ones(len(latency_ms)))
    if np.sqrt(np.mean((shares @ prices - 1) ** 2)) > _EXACT:
        return {}
    weights = (prices * shares).mean(axis=0)
    parts = [
        name
        for name, price, weight in zip(values, prices, weights, strict=False)
        if weight > _LEAST_SHARE and _is_unit(float(np.log(price)))
    ]
    reason = f"the latency is the sum of {', '.join(parts)}"
    return dict.fromkeys(parts, reason) if len(parts) > 1 else {}


def _is_unit(log_of_factor: float) -> bool:
    """Return whether a factor turns one unit of time into another: 1, 1000 and so on."""
    level = log_of_factor / np.log(1000)
    return bool(abs(level - round(level)) * np.log(1000) < np.log(1.1))


def _moves_with(suspect: _Suspect, y: Vector, alike: NDArray[np.int64]) -> str:
    """Return a reason when a column follows the latency among rows that are otherwise alike."""
    own, latency = (_within(values, alike) for values in (suspect.log, y))
    if not suspect.is_positive:  # a difference moves with the latency, and not with its logarithm
        latency = _within(np.exp(y), alike)
    n_pairs = len(y) - len(np.unique(alike))
    n_values = len(np.unique(np.column_stack([alike, suspect.log]), axis=0))
    if n_values - len(np.unique(alike)) < _LEAST_PAIRS or not own.any() or not latency.any():
        return ""
    is_small = np.sqrt((own**2).sum() / n_pairs) < _SMALL * np.std(suspect.log)
    if is_small and abs(np.corrcoef(own, latency)[0, 1]) > _ALIKE:
        return "it moves with the latency among rows that are otherwise alike"
    return ""


def _makes_constant(
    suspect: _Suspect, y: Vector, factors: dict[str, Vector], *, times: bool = True
) -> str:
    """Return a reason when the latency times or over a column is constant, or a known factor."""
    if _spread(y) < _CLOSE or not suspect.is_positive:
        return ""
    for name, factor in factors.items():
        of = f" over {name}" if name else ""
        if _is_constant(y + suspect.log - factor):
            return f"its product with the latency{of} is the same in every row"
        if not times:
            continue
        quotient = y - suspect.log - factor
        is_time = _is_unit(float(np.median(quotient))) and _is_constant(quotient)
        if is_time and (not name or not suspect.is_whole):
            return f"the latency over it{of} is the same in every row"
    return ""


def _cancels(
    suspect: _Suspect, y: Vector, known: NDArray[np.float64], *, times: bool = True
) -> str:
    """Return a reason when the product or quotient follows from the others, and they do not."""
    if not suspect.is_positive:
        return ""
    combined = np.column_stack([y, suspect.log, y + suspect.log, y - suspect.log])
    left = [max(_spread(column), _FLOOR) for column in _unexplained(known, combined).T]
    latency, own, product, quotient = left
    is_explained = own < _EXPLAINED * _spread(suspect.log) and latency < _EXPLAINED * _spread(y)
    if len(y) < _LEAST_ROWS or latency < _NOISE or not is_explained:
        return ""
    least = min(_SHARE * latency, _SHARE * own, _CLOSE)
    if product < least:
        return "its product with the latency follows from the other columns"
    if suspect.is_whole:  # a number of FLOPs explains the latency well, but not exactly
        least *= _EXACT
    if times and quotient < least and own > _EXPLAINED * latency:
        return "it follows the latency more closely than the other columns explain"
    return ""


def _unexplained(known: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what the known columns do not explain of values, each row predicted from the others.

    Args:
        known: The columns that explain, shape (rows, columns).
        values: The columns that are explained, shape (rows, columns).
    """
    centred = values - values.mean(axis=0)
    table = _scaled(np.column_stack([known[:, :0], *map(_compressed, known.T)]))
    if table.shape[1] <= _MOST_SQUARED:
        pairs = [table[:, i] * table[:, j] for i in range(table.shape[1]) for j in range(i + 1)]
        table = _scaled(np.column_stack([table, *pairs])) if pairs else table
    if not table.shape[1]:
        return np.asarray(centred)
    left, sizes, _ = np.linalg.svd(table, full_matrices=False)
    projected = left.T @ centred
    best = centred
    for ridge in _RIDGES:
        kept = sizes**2 / (sizes**2 + ridge * len(table))
        leverage = np.minimum((left**2) @ kept + 1 / len(table), 0.999)
        errors = (centred - left @ (kept[:, None] * projected)) / (1 - leverage)[:, None]
        is_better = np.median(np.abs(errors), axis=0) < np.median(np.abs(best), axis=0)
        best = np.where(is_better, errors, best)
    return np.asarray(best)


def _compressed(column: Vector) -> Vector:
    """Return the logarithm of a positive column, and of 1 + its size for any other."""
    if (column > 0).all():
        return np.log(column)
    return np.asarray(np.sign(column) * np.log1p(np.abs(column)))


def _scaled(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the columns that vary, each with mean 0 and standard deviation 1."""
    spread = table.std(axis=0)
    varies = spread > _FLOOR * (1 + np.abs(table).max(axis=0, initial=0))
    return np.asarray((table[:, varies] - table[:, varies].mean(axis=0)) / spread[varies])


def _factors(
    matrix: NDArray[np.float64], owner: Sequence[str], without: Collection[str]
) -> dict[str, Vector]:
    """Return the logarithms of 1, of the positive columns, and of the products of two of them."""
    single = {
        name: np.log(column)
        for name, column in zip(owner, matrix.T, strict=True)
        if name not in without and owner.count(name) == 1 and (column > 0).all()
    }
    single = dict(list(single.items())[:_MOST_FACTORS])
    pairs = {f"{a} x {b}": single[a] + single[b] for a, b in combinations(single, 2)}
    return {"": np.zeros(len(matrix)), **single, **pairs}


def _alike(known: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the group of rows that are alike in the known columns, shape (rows,)."""
    if not known.shape[1]:
        return np.arange(len(known))
    return np.unique(known, axis=0, return_inverse=True)[1].ravel()


def _within(values: Vector, group: NDArray[np.int64]) -> Vector:
    """Return the differences from the mean of the group."""
    means = np.bincount(group, values) / np.maximum(np.bincount(group), 1)
    difference = values - means[group]
    return np.where(np.abs(difference) < _FLOOR, 0.0, difference)


def _is_constant(logs: Vector) -> bool:
    low, high = np.percentile(logs, [5, 95])
    return _spread(logs) < _EXACT and bool(high - low < 5 * _EXACT)


def _spread(values: Vector) -> float:
    """Return a robust standard deviation."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
