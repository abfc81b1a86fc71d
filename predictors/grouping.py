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
    columns = group_columns(frame, named, architecture, targets=targets)
    if columns:
        return _combinations(frame, columns)
    return None if X is None else repeats(X)


def group_columns(
    frame: pd.DataFrame,
    named: Sequence[str] | None,
    architecture: Sequence[str] = (),
    *,
    targets: Sequence[str] = (),
) -> tuple[str, ...]:
    """Return the columns whose combinations make the groups of `groups_of`; empty when none do."""
    columns = tuple(named if named is not None else architecture)
    _require_groupable(frame, columns, targets)
    if not columns:
        return ()
    n_groups = len(np.unique(_combinations(frame, columns)))
    if named is not None and n_groups < 2:
        raise TableError(
            f"{source(frame)}: the columns {list(columns)} make one group; cross-validation needs "
            "two. Name other columns, or none."
        )
    is_grouped = n_groups < len(frame) and (named is not None or n_groups >= _MIN_GROUPS)
    return columns if is_grouped else ()


def _combinations(frame: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.int64]:
    """Return the number of each row's combination of values, shape (rows,)."""
    return np.asarray(frame.groupby(list(columns), sort=False).ngroup(), dtype=np.int64)


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

    Return None when there are no such rows, or all rows are alike.
    """
    _, codes = np.unique(X, axis=0, return_inverse=True)
    n_groups = int(codes.max()) + 1
    return codes.ravel() if 1 < n_groups < len(X) else None


def joined(
    groups: NDArray[np.int64] | None, known: NDArray[np.float64], fresh: NDArray[np.float64]
) -> NDArray[np.int64] | None:
    """Return the groups of known rows and of new rows below them.

    A new row belongs to the group of a known row that is alike. Other new rows that are alike
    make a new group.

    Args:
        groups: The group of every known row, shape (rows,); None when each is a group by itself.
        known: The columns of the known rows that tell groups apart, shape (rows, columns).
        fresh: The same columns of the new rows, shape (new rows, columns).

    Returns:
        Shape (rows + new rows,), or None when every row is a group by itself.
    """
    if groups is None:
        return repeats(np.vstack([known, fresh]))
    _, codes = np.unique(np.vstack([known, fresh]), axis=0, return_inverse=True)
    codes = codes.ravel()
    group_of = dict(zip(codes[: len(known)].tolist(), groups.tolist(), strict=True))
    first_new = int(groups.max()) + 1
    new = [group_of.get(code, first_new + code) for code in codes[len(known) :].tolist()]
    return np.concatenate([groups, np.array(new, dtype=np.int64)])
