"""What is wrong with a log, before a model is fitted to it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from predictors.table import TableError
from profilers import LogError, Problem, audit_log

QUALITY = "quality"

# A fit would be wrong, not merely worse. Conditions are checked by `predictors.conditions`, which
# knows what the user declared a feature.
_FATAL = frozenset({"impossible", "unit", "units", "constant", "malformed", "columns"})


def judge(path: Path, targets: Sequence[str]) -> tuple[str, ...]:
    """What to mind about a log, as one line each.

    Raises:
        TableError: It must not be fitted as it is; the message says what to do.
    """
    try:
        problems = audit_log(path, targets=targets).problems
    except LogError as error:
        raise TableError(str(error)) from None
    for problem in problems:
        if problem.severity == "problem" and problem.check in _FATAL:
            raise TableError(f"{path}: {_line(problem)}")
    return tuple(_line(problem) for problem in problems if problem.check != "mixed")


def quality_counts(frame: pd.DataFrame) -> dict[str, int]:
    """How many rows have each quality grade; empty when the log has none."""
    if QUALITY not in frame:
        return {}
    return dict(sorted(Counter(map(str, frame[QUALITY])).items()))


def _line(problem: Problem) -> str:
    return f"{problem.message} [{problem.check}]; {problem.remedy}"
