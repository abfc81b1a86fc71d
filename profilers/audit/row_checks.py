"""This module checks rows one by one, or a column: values, conditions, duplicates, qualities."""

from collections import Counter
from collections.abc import Iterable, Sequence, Sized

import numpy as np
from numpy.typing import NDArray

from devices.rounding import counted
from devices.spec import SIMULATED
from profilers.audit.problem import Problem
from profilers.log.any_log import AnyLog
from profilers.log.log_rows import Rows, Vector
from profilers.log.rows import NUMBER_COLUMNS, OPTIONAL_NUMBER_COLUMNS, REQUIRED_COLUMNS

_MAX_FLAGGED_SHARE = 0.2
_MIN_ROWS_FOR_CONSTANT = 3
_SHOWN_VALUES = 4
_UNITLESS = ("latency", "time", "duration", "energy", "memory")
_ASCENDING = (
    ("ci_low_ms", "latency_ms", "ci_high_ms"),
    ("min_ms", "raw_latency_ms"),
    ("p90_ms", "p95_ms", "p99_ms"),
    ("n_processes", "n_blocks", "n_samples"),
)
_ROUNDING = 1e-9
_MEASURE_AGAIN = "delete the lines; resuming measures their points again"


def malformed(log: AnyLog) -> list[Problem]:
    """Return problems of lines that are not rows, and of missing or repeated columns."""
    lines = [n for record in log.malformed for n in range(record.line, record.last_line + 1)]
    fields = counted(len(log.columns), "field")
    message = f"{counted(len(lines), 'line does', 'lines do')} not have the {fields} of a row"
    remedy = "correct or delete them"
    problems = Problem.at(lines, "malformed", "problem", message=message, remedy=remedy)
    message = "a write was cut off in the last line, which is left out"
    remedy = "resume the same command: it moves the line aside and measures its point again"
    torn = [] if log.torn is None else [log.torn]
    problems += Problem.at(torn, "torn", "warning", message=message, remedy=remedy)
    twice = [name for name, count in Counter(log.columns).items() if count > 1]
    missing = [name for name in REQUIRED_COLUMNS if log.is_ours and name not in log.columns]
    if twice:
        message = f"column {twice[0]!r} comes twice"
        problems.append(Problem("columns", "problem", message, "rename one of the two"))
    if missing:
        of = "of a log of this version"
        absent = counted(len(missing), f"column {of} is", f"columns {of} are")
        message = f"{absent} missing: {missing[0]!r}, ..."
        remedy = "measure again into another log, or fit with the version that wrote it"
        problems.append(Problem("columns", "problem", message, remedy))
    return problems


def simulated(log: AnyLog) -> list[Problem]:
    """Return a problem when rows of a log of `automoe profile` were computed, not measured."""
    lines = _lines_where(log.rows, [x == SIMULATED for x in log.rows.texts("device")])
    computed = counted(len(lines), "row is SIMULATED and says", "rows are SIMULATED and say")
    message = f"{computed} nothing about any real device"
    remedy = "use their results only to try AutoMoE out"
    lines = lines if log.is_ours else []
    return Problem.at(lines, "simulated", "warning", message=message, remedy=remedy)


def impossible(log: AnyLog, targets: Sequence[str]) -> list[Problem]:
    """Return a problem when a latency is not above 0.

    In a log of `automoe profile`, all results are checked: each must be a number from 0 up.
    """
    optional = set(OPTIONAL_NUMBER_COLUMNS)
    known = (*NUMBER_COLUMNS, *OPTIONAL_NUMBER_COLUMNS) if log.is_ours else ()
    bad: dict[str, NDArray[np.bool_]] = {}
    for name in dict.fromkeys((*targets, *known)):
        if name in log.columns:
            values = log.rows.numbers(name)
            bad[name] = ~(values > 0 if name in targets else values >= 0)  # true for NaN
            if name in optional and bad[name].any():
                bad[name] &= ~log.rows.is_blank(name)
    is_bad = np.logical_or.reduce(list(bad.values())) if bad else np.array([])
    lines = _lines_where(log.rows, is_bad)
    if not lines:
        return []
    place = int(np.argmax(is_bad))
    name = next(name for name, own in bad.items() if own[place])
    example = f"{name} is {log.rows[place].cells[name]!r:.40}"
    held = counted(len(lines), "row holds", "rows hold")
    message = f"{held} an impossible value, e.g. in line {lines[0]} {example}"
    remedy = _MEASURE_AGAIN if log.is_ours else "correct or delete the lines"
    return Problem.at(lines, "impossible", "problem", message=message, remedy=remedy)


def inconsistent(rows: Rows) -> list[Problem]:
    """Return problems of rows that contradict themselves, e.g. a latency outside its interval."""
    problems = []
    for names in _ASCENDING:
        lines = _lines_where(rows, ~_ascends([rows.numbers(name) for name in names]))
        violate = counted(len(lines), "row violates", "rows violate")
        message = f"{violate} {' <= '.join(names)}"
        remedy = _MEASURE_AGAIN
        problems += Problem.at(lines, "inconsistent", "problem", message=message, remedy=remedy)
    return problems


def mixed(rows: Rows, columns: Iterable[str]) -> list[Problem]:
    """Return a problem for each condition with several values.

    Its lines are those without the most common value.
    """
    problems = []
    for name in columns:
        texts = rows.texts(name)
        counts = Counter(texts)
        if len(counts) < 2:
            continue
        usual = counts.most_common(1)[0][0]
        values = sorted(counts)
        more = ", ..." if len(values) > _SHOWN_VALUES else ""
        message = (
            f"{name!r} takes {len(values)} values: {', '.join(values[:_SHOWN_VALUES])}{more}; "
            f"not the usual {usual!r}"
        )
        lines = _lines_where(rows, [text != usual for text in texts])
        remedy = "split the log by that column and fit each part"
        problems += Problem.at(lines, "mixed", "problem", message=message, remedy=remedy)
    return problems


def duplicates(log: AnyLog) -> list[Problem]:
    """Return a problem when points are repeated. In logs of others, whole rows are compared."""
    names = ("point_id",) if log.is_ours else tuple(dict.fromkeys(log.columns))
    seen: set[object] = set()
    is_repeated = []
    for key in zip(*map(log.rows.texts, names), strict=True):
        is_repeated.append(key in seen)
        seen.add(key)
    lines = _lines_where(log.rows, is_repeated)
    what = "of points that have a row already" if log.is_ours else "identical to an earlier one"
    message = f"{counted(len(lines), 'row is', 'rows are')} {what}"
    remedy = "keep one row per point"
    return Problem.at(lines, "duplicates", "warning", message=message, remedy=remedy)


def constant(latencies: Sequence[float]) -> list[Problem]:
    """Return a problem when all latencies are equal, so that nothing can be learned."""
    if len(latencies) < _MIN_ROWS_FOR_CONSTANT or len(set(latencies)) > 1:
        return []
    message = f"all {len(latencies)} rows have the latency {latencies[0]:g}"
    return [Problem("constant", "problem", message, "measure points that differ")]


def doubtful(rows: Rows) -> list[Problem]:
    """Return problems of flagged rows, when there are many, and of rows of quality C."""
    problems: list[Problem] = []
    texts = rows.texts("flags")
    is_flagged = {text: bool(_flags(text)) for text in set(texts)}
    flagged = _lines_where(rows, [is_flagged[text] for text in texts])
    if flagged and len(flagged) / len(rows) > _MAX_FLAGGED_SHARE:
        counts = flag_counts(texts)
        detail = ", ".join(f"{flag} {count}" for flag, count in counts.most_common())
        message = f"{_share(flagged, rows)} flagged ({detail})"
        remedy = "run `automoe doctor`, stop other programs and measure again"
        problems += Problem.at(flagged, "flagged", "warning", message=message, remedy=remedy)
    poor = _lines_where(rows, [text == "C" for text in rows.texts("quality")])
    message = f"{_share(poor, rows)} of quality C"
    remedy = "measure their points again on a quiet machine, or leave them out of the fit"
    return problems + Problem.at(poor, "flagged", "warning", message=message, remedy=remedy)


def _share(some: Sized, rows: Sized) -> str:
    of = f"of {counted(len(rows), 'row')}"
    return counted(len(some), f"{of} is", f"{of} are")


def units(log: AnyLog, targets: Sequence[str], given: str | None = None) -> list[Problem]:
    """Return problems of columns without a unit.

    Args:
        log: The log.
        targets: The columns whose sum is the latency.
        given: The unit of the targets that the user named; None when none was named.
    """
    silent = [name for name in targets if not log.unit_of(name, given).source]
    bare = [name for name in log.columns if name.lower() in _UNITLESS]
    problems = [
        Problem(
            "no_unit",
            "problem" if name in targets else "warning",  # a fit does not need the others
            f"column {name!r} has no unit",
            "rename it with its unit, e.g. latency_ms"
            + (", or name the unit with --unit" if name in targets else ""),
        )
        for name in bare
        if name in silent or (log.is_ours and name not in targets)
    ]
    if silent := [name for name in silent if name not in bare]:
        message = f"the unit of {', '.join(map(repr, silent))} is not named; taken as milliseconds"
        remedy = "rename it with its unit, or name the unit with --unit"
        problems.append(Problem("unit", "warning", message, remedy))
    return problems


def flag_counts(cells: Sequence[str]) -> Counter[str]:
    """Return the number of rows with each flag, from the cells of their flags."""
    counts = Counter[str]()
    for cell, n_rows in Counter(cells).items():
        for flag in _flags(cell):
            counts[flag] += n_rows
    return counts


def _flags(cell: str) -> list[str]:
    return [flag for flag in cell.split(";") if flag]


def _lines_where(rows: Rows, is_one: Sequence[bool] | NDArray[np.bool_]) -> list[int]:
    """Return the lines of some rows."""
    places = np.flatnonzero(is_one)
    return [int(line) for line in rows.lines()[places]] if len(places) else []


def _ascends(columns: Sequence[Vector]) -> NDArray[np.bool_]:
    """Return in which rows no number is below the one before it; NaN is left out."""
    ascends = np.ones(len(columns[0]), dtype=np.bool_)
    low = columns[0]
    for high in columns[1:]:
        ascends &= ~(low > high * (1 + _ROUNDING))
        low = np.where(np.isnan(high), low, high)
    return ascends
