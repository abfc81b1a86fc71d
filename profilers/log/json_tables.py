"""This module finds the table in a JSON text.

A table may be a list of objects, one object a line, one object alone, a list in an object, as
hyperfine, pytest-benchmark and Google Benchmark write it, or columns, as pandas writes them.
Objects within a row become columns, and so do lists of whole numbers. Other lists are left out.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from devices.yaml_json import parse_json
from profilers.log.rows import LogError

_LISTS: Final = ("results", "benchmarks")  # of hyperfine, of pytest-benchmark and Google Benchmark
_OF_TVM: Final = (frozenset({"input", "config", "result"}), frozenset({"i", "r", "v"}))
_LONGEST: Final = 64  # a longer list of whole numbers holds measurements
_SHOWN: Final = 6
_OBJECTS: Final = re.compile(r"\s*(\[\s*)?\{\s*['\"}]")  # no CSV begins in this way
_ONE_LINE: Final = re.compile(r"\{.*\}")

Table = tuple[list[list[Any]], tuple[str, ...]]


def table_of_json(content: str, path: Path) -> Table | None:
    """Return the rows below a header, and remarks about what was left out.

    Return None when the text is not JSON.

    Args:
        content: The text.
        path: The file, for messages.

    Raises:
        LogError: The text is JSON without a table.
    """
    try:
        document = _document(content)
    except ValueError as error:
        if _OBJECTS.match(content):
            reason = str(error).removesuffix(".")
            raise LogError(f"{path}: {reason}. Correct it, or write a CSV.") from None
        return None
    left_out: dict[str, None] = {}
    entries = _entries(document)
    if entries and any(names <= entries[0].keys() for names in _OF_TVM):
        raise LogError(
            f"{path} is a log of TVM's tuning, whose rows are nested lists. Write a CSV with a row "
            "for each record: its sizes, and the mean of the seconds in 'result' or 'r'."
        )
    rows = [_row(entry, left_out) for entry in entries]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if not columns:
        raise LogError(
            f"{path} must hold a list of JSON objects, one for each measurement. Got JSON without "
            "one. Write such a list, or a CSV."
        )
    table = [columns, *([row.get(name, "") for name in columns] for row in rows)]
    return table, _remarks(left_out, path)


def _document(content: str) -> Any:
    """Return what a JSON text holds, or a list of what one JSON text a line holds.

    Raises:
        ValueError: The text is not JSON.
    """
    try:
        return parse_json(content, allow_nan=True)
    except ValueError:
        lines = [line for line in content.split("\n") if line.strip()]
        if len(lines) < 2 or not _ONE_LINE.fullmatch(lines[0].strip()):
            raise
        return [_of_line(number, line) for number, line in enumerate(lines, 1)]


def _of_line(number: int, line: str) -> Any:
    """Return what the JSON text of one line holds.

    Raises:
        ValueError: The line is not JSON.
    """
    try:
        return parse_json(line, allow_nan=True)
    except ValueError as error:
        reason = str(error).removeprefix("line 1: ")
        raise LogError(f"line {number}: {reason}") from None


def _entries(document: Any) -> list[dict[str, Any]]:
    """Return the measurements in a JSON document; empty when there are none."""
    if isinstance(document, dict):
        named = [document[name] for name in _LISTS if _is_table(document.get(name))]
        own = [value for value in document.values() if _is_table(value)]
        if named or len(own) == 1:
            document = (named or own)[0]
        else:
            document = _by_columns(document) or [document]
    if not isinstance(document, list) or not all(isinstance(x, dict) for x in document):
        return []
    return [entry for entry in document if entry and entry.keys() != {"count"}]  # of trtexec


def _is_table(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(x, dict) for x in value)


def _by_columns(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a document of columns, as `DataFrame.to_json` writes it; empty for others.

    A column is a list, or an object from the number of a row to its cell. The form `split` has the
    names in `columns` and the rows in `data`. The form `index` is an object of rows.
    """
    names, rows = document.get("columns"), document.get("data")
    if isinstance(names, list) and isinstance(rows, list) and all(map(_is_list, rows)):
        return [dict(zip(map(str, names), row, strict=False)) for row in rows]
    values = list(document.values())
    if all(map(_is_list, values)) and len({len(x) for x in values}) == 1 and len(values) > 1:
        return [dict(zip(document, cells, strict=True)) for cells in zip(*values, strict=True)]
    if not all(isinstance(x, dict) and x for x in values) or len({tuple(x) for x in values}) != 1:
        return []
    if all(key.isdigit() for key in values[0]):
        return [{name: x[key] for name, x in document.items()} for key in values[0]]
    return [{"name": name, **x} for name, x in document.items()] if len(values) > 1 else []


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _row(entry: Mapping[str, Any], left_out: dict[str, None]) -> dict[str, Any]:
    """Return the cells of one measurement, and note in `left_out` what is none."""
    if isinstance(stats := entry.get("stats"), dict):  # of pytest-benchmark
        given = {f"param:{name}": x for name, x in (entry.get("params") or {}).items()}
        own = {"name": str(entry.get("name", "")).partition("[")[0], **given}
        return {**own, **_flat({name: x for name, x in stats.items() if name != "data"}, left_out)}
    if isinstance(score := entry.get("primaryMetric"), dict):  # of JMH, as its CSV has it
        given = {f"Param: {name}": x for name, x in (entry.get("params") or {}).items()}
        own = {name: entry.get(name.lower(), "") for name in ("Benchmark", "Mode", "Threads")}
        return {**own, "Score": score.get("score"), "Unit": score.get("scoreUnit"), **given}
    parameters = entry.get("parameters")
    if "command" not in entry or not isinstance(parameters, dict):
        return _flat(entry, left_out)
    others = {x: value for x, value in entry.items() if x not in ("parameters", "times")}
    return {  # of hyperfine
        **_flat({x: value for x, value in others.items() if x != "exit_codes"}, left_out),
        **{f"parameter_{name}": x for name, x in parameters.items()},
    }


def _flat(values: Mapping[str, Any], left_out: dict[str, None], prefix: str = "") -> dict[str, Any]:
    """Return the cells of an object. The cells of an object within it begin with its name."""
    cells: dict[str, Any] = {}
    for key, value in values.items():
        name = prefix + key
        if isinstance(value, dict):
            cells |= _flat(value, left_out, f"{name}_")
        elif isinstance(value, str | int | float):
            cells[name] = value
        elif isinstance(value, list) and value:
            if len(value) <= _LONGEST and all(type(x) is int for x in value):
                cells[name] = f"[{', '.join(map(str, value))}]"
            else:
                left_out[name] = None
    return cells


def _remarks(left_out: Mapping[str, None], path: Path) -> tuple[str, ...]:
    if not left_out:
        return ()
    shown = ", ".join(repr(name) for name in list(left_out)[:_SHOWN])
    more = f" and {len(left_out) - _SHOWN} more" if len(left_out) > _SHOWN else ""
    return (
        f"{path}: lists in the rows are left out: {shown}{more}. A list of at most {_LONGEST} "
        "whole numbers would be a column",
    )
