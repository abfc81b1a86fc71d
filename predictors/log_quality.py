"""This module checks a log before a predictor is fitted to it."""

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from predictors.table import TableError
from profilers import LogError, Problem, audit_log

QUALITY = "quality"

# With one of these problems a fit would be wrong and not only worse. Conditions are checked by
# `predictors.conditions`, which knows the columns that the user named as features.
_FATAL = frozenset({"impossible", "unit", "constant", "malformed", "columns"})


def judge(
    path: Path,
    targets: Sequence[str],
    *,
    lines: Collection[int] = (),
    varied: Collection[str] = (),
    unit: str | None = None,
) -> tuple[str, ...]:
    """Return the problems of a log, as one line each.

    Args:
        path: The log.
        targets: The columns that are summed to the latency.
        lines: The line numbers of the rows that are fitted; empty for all rows. Problems that
            only other rows have are left out, except that of a torn line, which is no row at all.
        varied: Columns that are features and may therefore differ from row to row.
        unit: The unit of the targets, where no name tells it.

    Raises:
        TableError: The log must not be fitted as it is. The message says what to do.
    """
    try:
        problems = audit_log(path, targets=targets, varied=varied, unit=unit).problems
    except LogError as error:
        raise TableError(str(error)) from None
    relevant = [
        x
        for x in problems
        if x.check == "torn" or not (lines and x.rows) or set(lines) & set(x.rows)
    ]
    for problem in relevant:
        if problem.severity == "problem" and problem.check in _FATAL:
            raise TableError(f"{path}: {_line(problem)}")
    return tuple(map(_line, relevant))


def quality_counts(frame: pd.DataFrame) -> dict[str, int]:
    """Return how many rows have each quality; empty when the log has no qualities."""
    if QUALITY not in frame:
        return {}
    return dict(sorted(Counter(map(str, frame[QUALITY])).items()))


def _line(problem: Problem) -> str:
    return f"{problem.message} [{problem.check}]; {problem.remedy}"
