"""This module tells whether a column follows from others by a formula, as FLOPs do."""

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Vector = NDArray[np.float64]

_MOST_TERMS = 256
_POWERS = ((-1, 0, 1, 2, 3), (0, 1, 2), (0, 1))  # the first that make no more terms than that
_MOST_USED = 12
_ROWS_A_TERM = 5
_EXACT = 3e-4  # the relative error of numbers that are written with four digits
_BASES = (np.e, 2.0, 10.0)
_LARGEST_LOGARITHM = 50


def follows_by_formula(known: NDArray[np.float64], values: Vector) -> bool:
    """Return whether values, or what they are a logarithm of, are a product or a short sum of them.

    The products are of powers of known columns, and their weights are above 0, as in a number of
    FLOPs or bytes. A constant may be below 0.

    Args:
        known: The columns that explain, shape (rows, columns).
        values: The values, shape (rows,).
    """
    columns = [x for x in known.T if (x > 0).all() and len(np.unique(x)) > 2]
    if columns and _is_product(np.log(np.column_stack(columns)), values):
        return True
    powers = next((x for x in _POWERS if len(x) ** len(columns) <= _MOST_TERMS), None)
    if powers is None or not columns:
        return False
    logs = np.log(np.column_stack(columns))
    exponents = np.array(list(product(powers, repeat=len(columns))), dtype=float)
    terms = np.exp(logs @ exponents.T - (logs @ exponents.T).mean(axis=0))
    powered = [base**values for base in _BASES if np.abs(values).max() < _LARGEST_LOGARITHM]
    return any(_is_short_sum(terms, x) for x in (values, *powered))


def _is_product(logs: NDArray[np.float64], values: Vector) -> bool:
    """Return whether values are one product of powers, such as a width of FLOPs over lengths."""
    if not (values > 0).all() or _ROWS_A_TERM * (logs.shape[1] + 1) > len(values):
        return False
    table = np.column_stack([logs, np.ones(len(values))])
    exponents, *_ = np.linalg.lstsq(table, np.log(values), rcond=None)
    error = np.log(values) - table @ exponents
    return bool(np.sqrt(np.mean(error**2)) < _EXACT * min(1.0, float(np.std(np.log(values)))))


def _is_short_sum(terms: NDArray[np.float64], values: Vector) -> bool:
    """Return whether values are a sum of a few terms with weights above 0, and of a constant."""
    scale = np.abs(values) if (values > 0).all() else np.full(len(values), np.std(values))
    if not scale.all() or not np.isfinite(scale).all():
        return False
    table = np.column_stack([terms, -np.ones(len(values))]) / scale[:, None]
    sizes = np.sqrt((table**2).mean(axis=0))
    try:
        weights, _ = nnls(table / sizes, values / scale)
    except RuntimeError:  # too many steps
        return False
    n_used = int((weights > _EXACT * weights.max()).sum())
    error = np.sqrt(np.mean((table / sizes @ weights - values / scale) ** 2))
    # Of numbers near a constant, the formula must explain the little by which they vary.
    varied = min(1.0, float(np.std(values) / np.abs(values).mean()))
    return bool(error < _EXACT * varied and n_used <= min(_MOST_USED, len(values) / _ROWS_A_TERM))
