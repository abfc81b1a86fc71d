"""What is wrong with a log, before a model is fitted to it."""

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from predictors.table import TableError
from profilers import LogError, Problem, audit_log

QUALITY = "quality"

# A fit would be wrong, not merely worse. Conditions are checked by `predictors.conditions`, which
# knows what the user declared a feature.
_FATAL = frozenset({"impossible", "unit", "constant", "malformed", "columns"})


def judge(
    path: Path,
    targets: Sequence[str],
    *,
    lines: Collection[int] = (),
    varied: Collection[str] = (),
) -> tuple[str, ...]:
    """What to mind about a log, as one line each.

    Args:
        path: The file.
        targets: The columns that are summed to the latency.
        lines: Of the rows that are fitted; problems of other rows alone are passed over. Empty
            for all rows.
        varied: Columns that are features and may therefore differ from row to row.

    Raises:
        TableError: It must not be fitted as it is; the message says what to do.
    """
    try:
        problems = audit_log(path, targets=targets, varied=varied).problems
    except LogError as error:
        raise TableError(str(error)) from None
    minded = [problem for problem in problems if _is_about(problem, set(lines))]
    for problem in minded:
        if problem.severity == "problem" and problem.check in _FATAL:
            raise TableError(f"{path}: {_line(problem)}")
    return tuple(map(_line, minded))


def _is_about(problem: Problem, lines: set[int]) -> bool:
    return not (lines and problem.rows) or not lines.isdisjoint(problem.rows)


def quality_counts(frame: pd.DataFrame) -> dict[str, int]:
    """How many rows have each quality grade; empty when the log has none."""
    if QUALITY not in frame:
        return {}
    return dict(sorted(Counter(map(str, frame[QUALITY])).items()))


def _line(problem: Problem) -> str:
    return f"{problem.message} [{problem.check}]; {problem.remedy}"
