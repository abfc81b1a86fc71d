"""This module holds the signs by which a column is a result: how its values follow the latency.

Each function returns a reason in words, which is empty without the sign. `y` is the logarithm of
the latency everywhere, shape (rows,).
"""

from collections.abc import Collection, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from predictors.suspects import Suspect
from predictors.unexplained import FLOOR, spread_of, unexplained

Vector = NDArray[np.float64]

_MOST_FACTORS = 12
_EXACT = 0.01  # the relative spread of a constant that two results share
CLOSE = 0.03
SHARE = 0.25  # of the spread of each that may remain in their combination
EXPLAINED = 0.5  # of the spread of a column that the other columns must explain
_LEAST_PAIRS = 8
_LEAST_ROWS = 20
_SMALL = 0.3  # of the spread of a column is noise; an input differs as much as anywhere
_ALIKE = 0.8  # the correlation of two results of one measurement
_NOISE = 0.005  # latencies that are explained better than this need no other explanation
_LEAST_SHARE = 0.01  # of the latency that a part of a sum has


def parts_of_sum(suspects: Sequence[Suspect], latency_ms: Vector) -> dict[str, str]:
    """Return the columns that add up to the latency, but for a constant, in any unit of time."""
    values = {x.name: np.exp(x.log) if x.is_positive else x.log for x in suspects}
    values = {name: column for name, column in values.items() if (column >= 0).all()}
    if len(values) < 2 or spread_of(np.log(latency_ms)) < CLOSE:
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


def moves_with(suspect: Suspect, y: Vector, alike: NDArray[np.int64]) -> str:
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


def makes_constant(
    suspect: Suspect, y: Vector, factors: dict[str, Vector], *, times: bool = True
) -> str:
    """Return a reason when the latency times or over a column is constant, or a known factor."""
    if spread_of(y) < CLOSE or not suspect.is_positive:
        return ""
    for name, factor in factors.items():
        of = f" over {name}" if name else ""
        if is_constant(y + suspect.log - factor):
            return f"its product with the latency{of} is the same in every row"
        if not times:
            continue
        quotient = y - suspect.log - factor
        is_time = _is_unit(float(np.median(quotient))) and is_constant(quotient)
        if is_time and (not name or not suspect.is_whole):
            return f"the latency over it{of} is the same in every row"
    return ""


def cancels(suspect: Suspect, y: Vector, known: NDArray[np.float64], *, times: bool = True) -> str:
    """Return a reason when the product or quotient follows from the others, and they do not."""
    if not suspect.is_positive:
        return ""
    combined = np.column_stack([y, suspect.log, y + suspect.log, y - suspect.log])
    left = [max(spread_of(column), FLOOR) for column in unexplained(known, combined).T]
    latency, own, product, quotient = left
    is_explained = own < EXPLAINED * spread_of(suspect.log) and latency < EXPLAINED * spread_of(y)
    if len(y) < _LEAST_ROWS or latency < _NOISE or not is_explained:
        return ""
    least = min(SHARE * latency, SHARE * own, CLOSE)
    if product < least:
        return "its product with the latency follows from the other columns"
    if suspect.is_whole:  # a number of FLOPs explains the latency well, but not exactly
        least *= _EXACT
    if times and quotient < least and own > EXPLAINED * latency:
        return "it follows the latency more closely than the other columns explain"
    return ""


def factors_in(
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


def _within(values: Vector, group: NDArray[np.int64]) -> Vector:
    """Return the differences from the mean of the group."""
    means = np.bincount(group, values) / np.maximum(np.bincount(group), 1)
    difference = values - means[group]
    return np.where(np.abs(difference) < FLOOR, 0.0, difference)


def is_constant(logs: Vector) -> bool:
    """Return whether logarithms are the same in every row, but for a few and a small spread."""
    low, high = np.percentile(logs, [5, 95])
    return spread_of(logs) < _EXACT and bool(high - low < 5 * _EXACT)
