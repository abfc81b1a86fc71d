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

    A byte-order mark is removed. The exports of hyperfine and pytest-benchmark in JSON and the
    list of NNLQP become a CSV with a header.

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
    return _from_json(content) if content.lstrip().startswith("{") else content


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
    """Return the results of hyperfine or pytest-benchmark as a CSV; any other text as it is."""
    try:
        document = parse_json(content, allow_nan=True)
    except ValueError:
        return content
    rows: list[dict[str, Any]] = []
    for result in document.get("results", ()):
        given = {f"parameter_{name}": x for name, x in (result.get("parameters") or {}).items()}
        rows.append({**_plain(result), **given})
    for result in document.get("benchmarks", ()):
        given = {f"param:{name}": x for name, x in (result.get("params") or {}).items()}
        name = str(result.get("name", "")).partition("[")[0]
        rows.append({"name": name, **given, **_plain(result.get("stats", {}))})
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return _csv([columns, *([row.get(name, "") for name in columns] for row in rows)])


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: x for name, x in values.items() if isinstance(x, str | int | float)}


def _csv(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
