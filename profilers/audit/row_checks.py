"""This module checks rows one by one, or a column: values, conditions, duplicates, qualities."""

from collections import Counter
from collections.abc import Iterable, Sequence, Sized
from itertools import pairwise
from math import isnan

from devices.rounding import counted
from devices.spec import SIMULATED
from profilers.audit.problem import Problem
from profilers.log.any_log import AnyLog, Row
from profilers.log.records import number
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
    lines = [row.line for row in log.rows if row.cells.get("device") == SIMULATED]
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
    examples: dict[int, str] = {}
    for row in log.rows:
        for name in dict.fromkeys((*targets, *known)):
            text = row.cells.get(name)
            if text is None or (name in optional and text == ""):
                continue
            if not _is_possible(text, may_be_zero=name not in targets):
                examples.setdefault(row.line, f"{name} is {text!r:.40}")
    if not examples:
        return []
    line, example = next(iter(examples.items()))
    held = counted(len(examples), "row holds", "rows hold")
    message = f"{held} an impossible value, e.g. in line {line} {example}"
    remedy = _MEASURE_AGAIN if log.is_ours else "correct or delete the lines"
    return Problem.at(examples, "impossible", "problem", message=message, remedy=remedy)


def inconsistent(rows: Sequence[Row]) -> list[Problem]:
    """Return problems of rows that contradict themselves, e.g. a latency outside its interval."""
    problems = []
    for names in _ASCENDING:
        lines = [row.line for row in rows if not _ascends([row.number(name) for name in names])]
        violate = counted(len(lines), "row violates", "rows violate")
        message = f"{violate} {' <= '.join(names)}"
        remedy = _MEASURE_AGAIN
        problems += Problem.at(lines, "inconsistent", "problem", message=message, remedy=remedy)
    return problems


def mixed(rows: Sequence[Row], columns: Iterable[str]) -> list[Problem]:
    """Return a problem for each condition with several values.

    Its lines are those without the most common value.
    """
    problems = []
    for name in columns:
        counts = Counter(row.cells[name] for row in rows)
        if len(counts) < 2:
            continue
        usual = counts.most_common(1)[0][0]
        values = sorted(counts)
        more = ", ..." if len(values) > _SHOWN_VALUES else ""
        message = (
            f"{name!r} takes {len(values)} values: {', '.join(values[:_SHOWN_VALUES])}{more}; "
            f"not the usual {usual!r}"
        )
        lines = [row.line for row in rows if row.cells[name] != usual]
        remedy = "split the log by that column and fit each part"
        problems += Problem.at(lines, "mixed", "problem", message=message, remedy=remedy)
    return problems


def duplicates(log: AnyLog) -> list[Problem]:
    """Return a problem when points are repeated. In logs of others, whole rows are compared."""
    seen: set[object] = set()
    lines = []
    for row in log.rows:
        key = row.cells["point_id"] if log.is_ours else tuple(row.cells.values())
        if key in seen:
            lines.append(row.line)
        seen.add(key)
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


def doubtful(rows: Sequence[Row]) -> list[Problem]:
    """Return problems of flagged rows, when there are many, and of rows of quality C."""
    problems: list[Problem] = []
    flagged = {row.line: flags(row) for row in rows if flags(row)}
    if flagged and len(flagged) / len(rows) > _MAX_FLAGGED_SHARE:
        counts = Counter(flag for names in flagged.values() for flag in names)
        detail = ", ".join(f"{flag} {count}" for flag, count in counts.most_common())
        message = f"{_share(flagged, rows)} flagged ({detail})"
        remedy = "run `automoe doctor`, stop other programs and measure again"
        problems += Problem.at(flagged, "flagged", "warning", message=message, remedy=remedy)
    poor = [row.line for row in rows if row.cells.get("quality") == "C"]
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


def flags(row: Row) -> list[str]:
    """Return the flags of a row."""
    return [flag for flag in row.cells.get("flags", "").split(";") if flag]


def _is_possible(text: str, *, may_be_zero: bool) -> bool:
    value = number(text)
    return value >= 0 if may_be_zero else value > 0  # both are false for NaN


def _ascends(values: Sequence[float]) -> bool:
    known = [value for value in values if not isnan(value)]
    return all(low <= high * (1 + _ROUNDING) for low, high in pairwise(known))
