"""This module turns the forms in which programs write a table into a CSV, and finds its delimiter.

These are JSON, Markdown, rows in SQL, the list of NNLQP, tables that are printed with spaces, and a
CSV with other lines above it.
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from profilers.log.decoding import Decoded, text_of
from profilers.log.google_benchmark import without_context
from profilers.log.json_tables import table_of_json
from profilers.log.known_tables import NNLQP_COLUMNS, NNLQP_LINE
from profilers.log.printed_tables import (
    require_table,
    rows_of_printed,
    with_times_of_llama,
    without_rules,
)
from profilers.log.rows import LogError
from profilers.log.written_numbers import is_number

DELIMITERS = (",", ";", "\t", "|")

_NAMED_DELIMITER = re.compile(r"sep=(.)\r?\n")  # the first line of some files of Excel
_BORDER = re.compile(r"(?<!\\)\|")
_SQL_ROW = re.compile(r"INSERT INTO \w+ \(([^)]*)\)\s*VALUES\s*\((.*)\);?\s*", re.I)


def content_of(path: Path, n_lines: int | None = None) -> Decoded:
    """Return the text of a log as a CSV with a header, see `profilers.log.decoding.text_of`.

    Rows keep their lines. Those of JSON that is not one object a line, and of SQL, are counted.

    Args:
        path: The log. A pipe may be read several times.
        n_lines: The number of lines that are read; None for all.

    Raises:
        LogError: The file is empty or holds no text, or JSON or SQL that is no table.
        OSError: The file cannot be read.
    """
    decoded = text_of(path, n_lines)
    content, remarks = without_context(decoded.text), decoded.remarks
    require_table(content, path)
    content = without_rules(content)
    with_comments = content  # one of them may be the header of a printed table
    if content.lstrip().startswith("#"):
        content = _without_comments(content)
    rows: Sequence[Sequence[object]] | None = None
    n_added = 1
    start = content.lstrip()[:12]
    if NNLQP_LINE.match(content):
        rows = [NNLQP_COLUMNS, *(line.split(" ") for line in content.splitlines())]
    elif start.startswith("|"):
        (rows, of_llama), n_added = with_times_of_llama(_rows_of_markdown(content)), 0
        remarks += of_llama
    elif start.upper().startswith(("CREATE TABLE", "INSERT INTO")):
        rows = _rows_of_sql(content, path)
    elif start.startswith(("[", "{")):
        table = table_of_json(content, path)
        rows, of_json = (None, ()) if table is None else table
        remarks += of_json
    if rows is None:
        rows, n_added = rows_of_printed(with_comments), 0
    if rows is None:
        return replace(decoded, text=content)
    return Decoded(_csv(rows), remarks, n_added)


def delimiter_of(content: str) -> str:
    """Return the character between the cells: the one that makes the longest header.

    A bar in a header with other delimiters is part of a name.
    """
    if named := _NAMED_DELIMITER.match(content):
        return named[1]
    *others, bar = DELIMITERS
    n_cells = {mark: len(_first_cells(content, mark)) for mark in others}
    return max(n_cells, key=n_cells.__getitem__) if max(n_cells.values()) > 1 else bar


def without_named_delimiter(content: str) -> str:
    """Return the text with a blank first line where that names the delimiter."""
    return _NAMED_DELIMITER.sub("\n", content, count=1) if content.startswith("sep=") else content


def _first_cells(content: str, delimiter: str) -> list[str]:
    try:
        file = io.StringIO(content, newline="")
        rows = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
        return next((cells for cells in rows if cells), [])
    except csv.Error:
        return []


def _without_comments(content: str) -> str:
    """Return the text with blank lines for the comments above its header.

    The last comment is the header itself where a row of as many numbers follows. `numpy.savetxt`
    writes it so.
    """
    lines = content.split("\n")
    n_comments = next((i for i, x in enumerate(lines) if x.strip() and x[0] != "#"), 0)
    if not n_comments:
        return content
    first, last = lines[n_comments], max(i for i in range(n_comments) if lines[i].strip())
    pairs = [[_first_cells(x, mark) for x in (lines[last], first)] for mark in DELIMITERS]
    names, cells = max(pairs, key=lambda pair: min(map(len, pair)))
    is_row = len(cells) == len(names) > 1 and any(is_number(x.strip()) for x in cells if x)
    header = lines[last] if re.match("#\\s*of\\b", lines[last]) else lines[last].lstrip("# ")
    above = [header if is_row and i == last else "" for i in range(n_comments)]
    return "\n".join([*above, *lines[n_comments:]])


def _rows_of_markdown(content: str) -> list[list[str]]:
    """Return the cells of each line of a table in Markdown; none for the lines beside it."""
    lines = [line.strip() for line in content.split("\n")]
    rows = [_cells_of_markdown(line) if line.startswith("|") else [] for line in lines]
    return [row if any(set(cell) - set(" :-+") for cell in row) else [] for row in rows]


def _cells_of_markdown(line: str) -> list[str]:
    """Return the cells of a line, without the marks of code. A bar behind a backslash is text."""
    cells = _BORDER.split(line.removeprefix("|").removesuffix("|"))
    return [cell.strip().strip("`=").replace("\\|", "|") for cell in cells]


def _rows_of_sql(content: str, path: Path) -> list[list[str]]:
    """Return the cells of `INSERT INTO` lines, such as llama-bench prints, below their header.

    Raises:
        LogError: The lines are of several tables, or there are none.
    """
    inserted = [match for line in content.split("\n") if (match := _SQL_ROW.fullmatch(line))]
    headers = list(dict.fromkeys(match[1] for match in inserted))
    if len(headers) != 1:
        raise LogError(
            f"{path} must hold lines 'INSERT INTO ... (columns) VALUES (...);' with the same "
            f"columns. Got {len(headers)} different lists of columns. Export a CSV instead."
        )
    texts = io.StringIO("\n".join(match[2] for match in inserted))
    return [
        [name.strip() for name in headers[0].split(",")],
        *csv.reader(texts, quotechar="'", skipinitialspace=True),
    ]


def _csv(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
