"""This module turns the bytes of a log into comma-separated text, whatever program saved them."""

import codecs
import csv
import io
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from devices.yaml_json import parse_json
from profilers.log.known_tables import NNLQP_COLUMNS
from profilers.log.rows import LogError

DELIMITERS = (",", ";", "\t")

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NAMED_DELIMITER = re.compile(r"sep=(.)\r?\n")  # the first line of some files of Excel
_NNLQP_LINE = re.compile(r"\S+ \S+\.onnx \d+ [\d.eE+-]+ \S+ \d+ \w+")


def content_of(path: Path, n_lines: int | None = None) -> str:
    """Return the text of a log, without a last character of which only some bytes were written.

    A byte-order mark is removed. Measurements in JSON (a list of objects, one object a line, the
    exports of hyperfine and pytest-benchmark), a table in Markdown and the list of NNLQP become a
    CSV with a header.

    Args:
        path: The log. A pipe may be read several times.
        n_lines: The number of lines that are read; None for all.

    Raises:
        LogError: The file is empty or holds no text in UTF-8 or UTF-16.
        OSError: The file cannot be read.
    """
    data = _bytes_of(path, n_lines)
    encoding = "utf-16" if data.startswith(_UTF_16) else "utf-8-sig"
    try:
        content = codecs.getincrementaldecoder(encoding)().decode(data)
    except UnicodeDecodeError as error:
        raise LogError(f"{path} must be a CSV in UTF-8. Got {error.reason}. Convert it.") from None
    if "\0" in content or not content.strip():
        got = "a file with zero bytes in it" if content.strip() else "an empty file"
        raise LogError(f"{path} must be a CSV with a header line. Got {got}.")
    if _NNLQP_LINE.match(content):
        lines = [line.split(" ") for line in content.splitlines()]
        return _csv([NNLQP_COLUMNS, *lines])
    start = content.lstrip()[:1]
    if start == "|":
        return _from_markdown(content)
    return _from_json(content) if start and start in "[{" else content


def delimiter_of(content: str) -> str:
    """Return the character between the cells: the one that makes the longest header."""
    if named := _NAMED_DELIMITER.match(content):
        return named[1]
    return max(DELIMITERS, key=lambda delimiter: len(_first_cells(content, delimiter)))


def without_named_delimiter(content: str) -> str:
    """Return the text with a blank first line where that names the delimiter."""
    return _NAMED_DELIMITER.sub("\n", content, count=1) if content.startswith("sep=") else content


def _first_cells(content: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(content, newline=""), delimiter=delimiter), [])
    except csv.Error:
        return []


def _bytes_of(path: Path, n_lines: int | None) -> bytes:
    if path.is_file():
        with path.open("rb") as file:
            return file.read() if n_lines is None else b"".join(islice(file, n_lines))
    about = path.stat()
    lines = io.BytesIO(_piped(path, about.st_dev, about.st_ino))
    return lines.read() if n_lines is None else b"".join(islice(lines, n_lines))


@lru_cache(maxsize=4)
def _piped(path: Path, device: int, inode: int) -> bytes:
    """Return the content of a pipe, which can be read only once; its identity tells pipes apart."""
    return path.read_bytes()


def _from_json(content: str) -> str:
    """Return a list of objects in JSON, one object a line, or a program's results, as a CSV.

    Any other text is returned as it is.
    """
    try:
        entries = _entries(content)
    except ValueError:
        return content
    rows = [_row(entry) for entry in entries]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return _csv([columns, *([row.get(name, "") for name in columns] for row in rows)])


def _entries(content: str) -> list[dict[str, Any]]:
    """Return the measurements in a JSON text, or in one JSON text a line.

    Raises:
        ValueError: The text holds something else.
    """
    try:
        document = parse_json(content, allow_nan=True)
    except ValueError:
        document = [parse_json(x, allow_nan=True) for x in content.split("\n") if x.strip()]
    if isinstance(document, dict):  # of hyperfine, or of pytest-benchmark
        document = document.get("results", document.get("benchmarks"))
    if not isinstance(document, list) or not all(isinstance(x, dict) for x in document):
        raise ValueError("The text holds no list of objects.")
    return [entry for entry in document if entry.keys() != {"count"}]  # trtexec counts its runs


def _row(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cells of one measurement. Lists and most objects within it are left out."""
    if isinstance(stats := entry.get("stats"), dict):  # of pytest-benchmark
        given = {f"param:{name}": x for name, x in (entry.get("params") or {}).items()}
        return {"name": str(entry.get("name", "")).partition("[")[0], **given, **_plain(stats)}
    parameters = entry.get("parameters")
    given = parameters if isinstance(parameters, dict) else {}
    return {**_plain(entry), **{f"parameter_{name}": x for name, x in given.items()}}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: x for name, x in values.items() if isinstance(x, str | int | float)}


def _from_markdown(content: str) -> str:
    """Return a table in Markdown, such as llama-bench prints, as a CSV."""
    lines = [line.strip() for line in content.split("\n")]
    rows = [line.strip("|").split("|") for line in lines if line.startswith("|")]
    return _csv([row for row in rows if any(set(cell) - set(" :-") for cell in row)])


def _csv(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
