"""This module splits a CSV into records and their cells, and reads the number in a cell."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import nan
from typing import Final

# The largest size, count or latency in a log. Its square fits in double precision, and the number
# itself in the single precision of XGBoost.
LARGEST: Final = 1e20


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a CSV, or several lines when a quoted cell has line breaks.

    Attributes:
        line: The number of its first line in the file, from 1.
        last_line: The number of its last line.
        cells: Its cells, without spaces around them; empty when it cannot be parsed.
        error: The reason why it cannot be parsed; empty when it can.
        is_last: Whether it is the last record of the file.
    """

    line: int
    last_line: int
    cells: tuple[str, ...]
    error: str = ""
    is_last: bool = False


def number(text: str) -> float:
    """Return the text as a number; NaN when it is not a number or beyond `LARGEST`.

    An underscore separates the entries of a list, as in `3072_2048`. Python would leave it out.
    """
    try:
        value = nan if "_" in text else float(text)
    except ValueError:
        return nan
    return value if abs(value) <= LARGEST else nan


def records_of(text: str, delimiter: str = ",", *, n_added: int = 0) -> list[Record]:
    """Return the records of a CSV that are not blank.

    Lines end where Python's CSV parser ends them. Form feeds and the separators U+0085 and U+2028
    remain in their cells, where `str.splitlines` would cut.

    Args:
        text: The CSV.
        delimiter: The character between cells.
        n_added: The number of first lines that the file does not have. They are not counted.
    """
    records = list(_records(text, delimiter, n_added))
    if records:
        records[-1] = replace(records[-1], is_last=True)
    return records


def _records(text: str, delimiter: str, n_added: int) -> Iterator[Record]:
    # A cell may hold a routing trace of any size. The limit belongs to the whole csv module.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True
    )
    line = 1 - n_added
    while True:
        cells: tuple[str, ...] = ()
        error = ""
        try:
            cells = tuple(cell.strip() for cell in next(reader))
        except StopIteration:
            return
        except csv.Error as problem:
            error = str(problem)
        if error or any(cells):
            yield Record(line, max(line, reader.line_num - n_added), cells, error)
        line = reader.line_num + 1 - n_added
