"""This module groups the rows of a log, so that no model is tested on what it was fitted to."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from predictors.table import TableError, source
from predictors.targets import absence

_MIN_GROUPS = 5


def groups_of(
    frame: pd.DataFrame,
    named: Sequence[str] | None,
    architecture: Sequence[str] = (),
    X: NDArray[np.float64] | None = None,
    *,
    targets: Sequence[str] = (),
) -> NDArray[np.int64] | None:
    """Return the group of every row, shape (rows,).

    Return None when every row is a group by itself.

    Args:
        frame: The usable rows.
        named: The columns that the user named, or None. Each combination of their values is a
            group.
        architecture: The columns of a recognised table that make an architecture. They are used
            without `named`, when they make at least five groups.
        X: The features, shape (rows, features). When neither of these makes groups, rows that
            are alike in all features are repeated measurements of one point, and so a group.
        targets: The target columns, which cannot make groups.

    Raises:
        TableError: A named column is absent or a target, or the named columns make one group only.
    """
    columns = list(named if named is not None else architecture)
    _require_groupable(frame, columns, targets)
    if columns:
        codes = np.asarray(frame.groupby(columns, sort=False).ngroup(), dtype=np.int64)
        n_groups = len(set(codes.tolist()))
        if named is not None and n_groups < 2:
            raise TableError(
                f"{source(frame)}: the columns {columns} make one group; cross-validation needs "
                "two. Name other columns, or none."
            )
        if n_groups < len(frame) and (named is not None or n_groups >= _MIN_GROUPS):
            return codes
    return None if X is None else repeats(X)


def _require_groupable(frame: pd.DataFrame, columns: Sequence[str], targets: Sequence[str]) -> None:
    for name in columns:
        if name not in frame:
            raise TableError(absence(frame, [name]))
        if name in targets:
            raise TableError(
                f"{source(frame)}: '{name}' is a target and cannot group rows too. Name a column "
                "that is known before measuring."
            )


def repeats(X: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """Return groups of rows that are alike in all features, shape (rows,).

    Return None when there are no such rows, or too few groups to test on.
    """
    _, codes = np.unique(X, axis=0, return_inverse=True)
    n_groups = int(codes.max()) + 1
    return codes.ravel() if _MIN_GROUPS <= n_groups < len(X) else None
