"""This module tells what some columns of a table do not explain of other columns."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Vector = NDArray[np.float64]

_MOST_SQUARED = 12  # columns whose products are explanations too
_RIDGES = 10.0 ** np.arange(-7, 3)
_WIDTHS = (1.0, 3.0)
_SMOOTH_RIDGES = 10.0 ** np.arange(-8, 1)
_MOST_SMOOTH = 300  # rows
FLOOR = 1e-9


def unexplained(
    known: NDArray[np.float64], values: NDArray[np.float64], *, is_smooth: bool = False
) -> NDArray[np.float64]:
    """Return what the known columns do not explain of values, each row predicted from the others.

    Args:
        known: The columns that explain, shape (rows, columns).
        values: The columns that are explained, shape (rows, columns).
        is_smooth: Whether any smooth function explains, and not a square one alone. It takes a
            time that grows with the cube of the rows, and has no effect from 301 rows on.
    """
    centred = values - values.mean(axis=0)
    table = plain = _scaled(np.column_stack([known[:, :0], *map(_compressed, known.T)]))
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
        best = _better(best, errors)
    if is_smooth and len(plain) <= _MOST_SMOOTH and plain.shape[1] <= _MOST_SQUARED:
        for errors in _left_by_smooth(plain, centred):
            best = _better(best, errors)
    return np.asarray(best)


def _better(best: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the columns of either array whose sizes have the lower median."""
    is_better = np.median(np.abs(errors), axis=0) < np.median(np.abs(best), axis=0)
    return np.where(is_better, errors, best)


def _left_by_smooth(
    table: NDArray[np.float64], values: NDArray[np.float64]
) -> Iterator[NDArray[np.float64]]:
    """Yield what smooth functions of a table leave of values, each row predicted from the others.

    They are sums of Gaussian bumps at the rows, with a ridge (Rasmussen and Williams 2006, 5.12).

    Args:
        table: The columns that explain, with mean 0 and standard deviation 1.
        values: The columns that are explained, shape (rows, columns).
    """
    squares = (table**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares - 2 * table @ table.T, 0) / table.shape[1]
    for width in _WIDTHS:
        sizes, vectors = np.linalg.eigh(np.exp(-distances / (2 * width**2)))
        projected = vectors.T @ values
        for ridge in _SMOOTH_RIDGES:
            kept = 1 / (np.maximum(sizes, 0) + ridge)
            weights = vectors @ (kept[:, None] * projected)
            yield weights / ((vectors**2) @ kept)[:, None]


def _compressed(column: Vector) -> Vector:
    """Return the logarithm of a positive column, and of 1 + its size for any other."""
    if (column > 0).all():
        return np.log(column)
    return np.asarray(np.sign(column) * np.log1p(np.abs(column)))


def _scaled(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the columns that vary, each with mean 0 and standard deviation 1."""
    spread = table.std(axis=0)
    varies = spread > FLOOR * (1 + np.abs(table).max(axis=0, initial=0))
    return np.asarray((table[:, varies] - table[:, varies].mean(axis=0)) / spread[varies])


def drawn_rows(
    frame: pd.DataFrame, latency_ms: Vector, *, most: int
) -> tuple[pd.DataFrame, Vector]:
    """Return rows and their latencies, or as many as ``most`` of them, drawn at random."""
    if len(frame) <= most:
        return frame, latency_ms
    kept = np.random.default_rng(0).permutation(len(frame))[:most]
    return frame.iloc[kept], latency_ms[kept]


def alike_rows(known: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the group of rows that are alike in the known columns, shape (rows,)."""
    if not known.shape[1]:
        return np.arange(len(known))
    return np.unique(known, axis=0, return_inverse=True)[1].ravel()


def spread_of(values: Vector) -> float:
    """Return a robust standard deviation."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
