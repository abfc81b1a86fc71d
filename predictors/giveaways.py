"""This module finds columns that give the latency away: results whose names do not say so.

A result, such as a throughput or another statistic of the same measurement, holds the noise of the
latency. An input cannot, because it was known before. So a column is taken for a result when its
product or its quotient with the latency follows from the other columns, while neither of the two
does by itself, or when it moves with the latency among rows that are otherwise alike. Columns of
whole sizes, of few levels, and those whose names speak of an input are never suspected, except
that a number of FLOPs may be FLOPs per second: then its product with the latency follows.
"""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from predictors.copies import copies, in_order
from predictors.features import FeatureSchema
from predictors.formulas import follows_by_formula
from predictors.signs_of_results import (
    SHARE,
    cancels,
    factors_in,
    is_constant,
    makes_constant,
    moves_with,
    parts_of_sum,
)
from predictors.suspects import Suspect, suspects_in
from predictors.table import TableError, source
from predictors.unexplained import alike_rows, drawn_rows, spread_of

Vector = NDArray[np.float64]

_MOST_ROWS = 2000
_NEARLY = 0.1  # the relative spread of a quotient that only a person can judge


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
    frame, latency_ms = drawn_rows(frame, latency_ms, most=_MOST_ROWS)
    copied = copies(frame, schema, latency_ms, targets)
    matrix, owner = schema.own_matrix(frame)
    is_left = [name not in copied for name in owner]
    matrix, owner = matrix[:, is_left], [name for name in owner if name not in copied]
    suspects = suspects_in(frame, schema, latency_ms, targets)
    suspects = [suspect for suspect in suspects if suspect.name not in copied]
    rates = suspects_in(frame, schema, latency_ms, targets, kind="input")
    y = np.log(latency_ms)
    reasons = _of_suspects(suspects, y, matrix, owner)
    reasons |= _of_rates(rates, y, matrix, owner, without={*(x.name for x in suspects)})
    known = matrix[:, [name not in reasons for name in owner]]
    for name in [x for x in reasons if x in owner]:  # a number of FLOPs is no result
        if follows_by_formula(known, matrix[:, owner.index(name)]):
            del reasons[name]
    reasons = {**copied, **reasons}
    _require_others(frame, schema, reasons)
    return reasons


def _of_suspects(
    suspects: Sequence[Suspect], y: Vector, matrix: NDArray[np.float64], owner: Sequence[str]
) -> dict[str, str]:
    """Return the suspects that are results, with the reason for each.

    Args:
        suspects: The columns that may be results.
        y: The logarithms of the latencies, shape (rows,).
        matrix: The features that are no copies, shape (rows, columns).
        owner: The feature of each of these columns.
    """
    names = {suspect.name for suspect in suspects}
    known = matrix[:, [name not in names for name in owner]]
    once = np.unique(matrix, axis=0, return_index=True)[1]  # a repeated row explains itself
    alike, factors = alike_rows(known), factors_in(matrix, owner, names)
    reasons = parts_of_sum(suspects, np.exp(y))
    reasons |= {
        suspect.name: reason
        for suspect in suspects
        if suspect.name not in reasons
        and (
            reason := moves_with(suspect, y, alike)
            or makes_constant(suspect, y, factors)
            or cancels(suspect.at(once), y[once], known[once])
        )
    }
    left = {x.name: x.log for x in suspects if x.name not in reasons}
    for suspect in suspects:  # a suspect that is none may explain the latency beside another one
        if suspect.name not in left:
            continue
        others = {x: log for x, log in left.items() if x not in (suspect.name, *reasons)}
        beside = matrix[:, [name not in (suspect.name, *reasons) for name in owner]]
        reason = makes_constant(suspect, y, others, times=False)
        if not reason and suspect.is_positive and is_constant(y - suspect.log):  # as of a clock
            reason = cancels(suspect.at(once), y[once], beside[once])
        reasons |= {suspect.name: reason} if reason else {}
    return reasons


def _of_rates(
    rates: Sequence[Suspect],
    y: Vector,
    matrix: NDArray[np.float64],
    owner: Sequence[str],
    without: Collection[str],
) -> dict[str, str]:
    """Return the numbers of FLOPs that are rates, with the reason for each.

    Args:
        rates: The columns that may be rates.
        y: The logarithms of the latencies, shape (rows,).
        matrix: The features that are no copies, shape (rows, columns).
        owner: The feature of each of these columns.
        without: The features that may be results themselves.
    """
    reasons: dict[str, str] = {}
    once = np.unique(matrix, axis=0, return_index=True)[1]
    without = {*without, *(rate.name for rate in rates)}
    known = matrix[:, [name not in without for name in owner]][once]
    factors = factors_in(matrix, owner, without)
    for rate in rates:
        reason = makes_constant(rate, y, factors, times=False)
        reason = reason or cancels(rate.at(once), y[once], known, times=False)
        reasons |= {rate.name: reason} if reason else {}
    return reasons


def nearly_determining(
    frame: pd.DataFrame, schema: FeatureSchema, latency_ms: Vector, targets: Sequence[str]
) -> tuple[str, ...]:
    """Return a sentence for each feature in proportion to the latency, nearly, or in its order.

    Only columns are named whose names do not tell that they are inputs. Their values do not tell
    whether they are times of a part or an input that explains the latency well.

    Args:
        frame: The usable rows.
        schema: The features that are used.
        latency_ms: The latency of each row, shape (rows,).
        targets: The target columns.
    """
    y = np.log(latency_ms)
    quotients = {
        suspect.name: spread_of(y - suspect.log)
        for suspect in suspects_in(frame, schema, latency_ms, targets)
        if suspect.is_positive
    }
    least = min(_NEARLY, SHARE * spread_of(y))
    doubts = {
        name: f"nearly determines the latency: their quotient varies by {spread:.1%}"
        for name, spread in quotients.items()
        if spread < least
    }
    for name in in_order(frame, schema, latency_ms, targets):
        doubts.setdefault(name, "puts the rows in the order of the latency, without an exception")
    return tuple(
        f"{name!r} {doubt}. If it was measured with the latency, name all features but it with "
        "--feature"
        for name, doubt in doubts.items()
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
