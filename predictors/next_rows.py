"""This module chooses the rows to measure next: those that a linear law would learn most from."""

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

_RIDGE = 1e-2


def most_informative(
    pool: NDArray[np.float64], known: NDArray[np.float64], n: int
) -> NDArray[np.int64]:
    """Return the rows of the pool whose prediction is the least certain.

    This is sequential D-optimal design (Fedorov 1972). With the information matrix A of the known
    rows, the row z with the largest variance ``z A^-1 z`` is chosen next and is added to A.

    Args:
        pool: The features of the rows that could be measured, shape (pool, features).
        known: The features of the measured rows, shape (rows, features); may be empty.
        n: The number of rows to choose. It may exceed the pool.

    Returns:
        The indices of the chosen rows in the pool, in the order of choice.
    """
    scaler = StandardScaler().fit(np.vstack([pool, known]) if len(known) else pool)
    candidates = _with_constant(scaler.transform(pool))
    inverse = np.linalg.inv(_information(scaler, known, candidates.shape[1]))
    left = np.ones(len(pool), dtype=bool)
    chosen: list[int] = []
    for _ in range(min(n, len(pool))):
        variance = np.einsum("ij,jk,ik->i", candidates, inverse, candidates)
        best = int(np.where(left, variance, -np.inf).argmax())
        chosen.append(best)
        left[best] = False
        step = inverse @ candidates[best]  # Sherman & Morrison 1950
        inverse -= np.outer(step, step) / (1 + candidates[best] @ step)
    return np.array(chosen, dtype=np.int64)


def _information(
    scaler: StandardScaler, known: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    prior = _RIDGE * np.eye(size)
    if not len(known):
        return prior
    rows = _with_constant(scaler.transform(known))
    return prior + rows.T @ rows


def _with_constant(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([np.ones(len(rows)), rows])
