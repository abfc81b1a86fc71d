"""This module reads a CSV log, and refuses a damaged one with the line, column and remedy."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from devices.rounding import counted
from predictors.cells import LIST_SUFFIXES, list_statistics
from profilers.log.any_log import AnyLog, read_any_log
from profilers.log.lists import is_one_number, parse_list
from profilers.log.log_rows import sampled
from profilers.log.records import LARGEST, Record
from profilers.log.rows import LogError
from profilers.log.written_numbers import MISSING

LINE = "line"


class TableError(ValueError):
    """A log or a table cannot be used as it is. The message names the place and the remedy."""


def read_table(path: str | Path, *, most: int | None = None, seed: int = 0) -> pd.DataFrame:
    """Read a CSV file with a header as a frame whose columns are numbers or text.

    A column of numbers becomes numeric, with NaN for an empty cell and for `nan`, `#N/A` or `null`.
    A column of lists, written `[3072, 2048]`, `3072_2048` or `3072 2048`, becomes three numeric
    columns: `<name>.mean`, `<name>.sum` and `<name>.count`. Any other column remains text. So does
    a column with a cell that is not a list. A torn last line of a latency log is left out.

    Args:
        path: The file, see `profilers.log.any_log.read_any_log`.
        most: The number of rows that are drawn at random from a longer table; None for all.
        seed: The seed by which they are drawn.

    Returns:
        One row per record. The index, named `line`, holds the line numbers in the file (the
        header is line 1), and `attrs["source"]` holds the path, so that later errors name both.
        `attrs["remarks"]` holds sentences about how the file was read, and `attrs["in_ms"]` the
        columns whose cells told their unit.

    Raises:
        TableError: The file is missing, empty or not UTF-8, has only a header, repeats a column
            name, or has a row with too few or too many fields.
    """
    log = _read(Path(path))
    _check_header(log)
    for record in log.malformed:
        raise TableError(_not_a_row(log, record))
    if not len(log.rows):
        raise TableError(f"{path} has a header and no rows. Add rows below it.")
    rows, remarks = log.rows, log.remarks
    if most is not None and len(rows) > most:
        rows = sampled(rows, most, seed)
        remarks += (f"{most} of {len(log.rows)} rows are used, drawn at random with seed {seed}",)
    cells = pd.DataFrame(
        [tuple(row.cells.values()) for row in rows],
        columns=list(log.columns),
        index=pd.Index(rows.lines(), name=LINE),
        dtype=object,
    )
    frame = pd.concat([_typed(cells[name]) for name in log.columns], axis=1)
    frame.attrs["source"] = str(path)
    frame.attrs["remarks"] = remarks
    frame.attrs["in_ms"] = tuple(sorted(log.in_ms))
    return frame


def locate(frame: pd.DataFrame, row: int, column: str) -> str:
    """Return the place of a cell for a message: `lat.csv, line 7, column 'latency_ms'`."""
    word = LINE if frame.index.name == LINE else "row"
    source = frame.attrs.get("source")
    prefix = f"{source}, " if source else ""
    return f"{prefix}{word} {frame.index[row]}, column '{column}'"


def numbers(frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Return the cells of a column as numbers, shape (rows,), with NaN for any other cell."""
    column = frame[name]
    if column.dtype != np.float64:  # a search asks often, so floats are not parsed again
        column = pd.to_numeric(column, errors="coerce")
    return np.asarray(column, dtype=np.float64)


def positive_column(
    frame: pd.DataFrame, name: str, *, what: str, most: float = LARGEST
) -> NDArray[np.float64]:
    """Return the numbers of a column, shape (rows,).

    Args:
        frame: The table.
        name: The name of the column.
        what: The meaning of a cell, for the message, such as "a size".
        most: The largest number that is allowed.

    Raises:
        TableError: A cell is not a number above 0, or is larger than allowed.
    """
    values = numbers(frame, name)
    must_be = f"{what} must be a number above 0, at most {most:g}"
    require(frame, name, (values > 0) & (values <= most), must_be)
    return values


def require(frame: pd.DataFrame, name: str, is_good: NDArray[np.bool_], must_be: str) -> None:
    """Check the cells of a column.

    Args:
        frame: The table.
        name: The name of the column.
        is_good: A mask that is true for each good cell, shape (rows,).
        must_be: The rule that cells must follow, for the message.

    Raises:
        TableError: A cell is not good. The message names its place and value.
    """
    bad = np.flatnonzero(~is_good)
    if bad.size:
        row = int(bad[0])
        raise TableError(
            f"{locate(frame, row, name)}: {must_be}. {_got(frame[name].iloc[row])} "
            "Correct or delete the line."
        )


def written(value: object) -> str:
    """Return a cell as somebody would write it: a whole number without a decimal point."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def source(frame: pd.DataFrame) -> str:
    """Return the file that a frame was read from, or 'the table'."""
    return str(frame.attrs.get("source", "the table"))


def _got(cell: object) -> str:
    is_missing = cell is None or (isinstance(cell, float | np.floating) and np.isnan(cell))
    return "The cell is empty." if is_missing or cell == "" else f"Got {written(cell)!r}."


def _read(path: Path) -> AnyLog:
    if not path.exists():
        raise TableError(f"{path} does not exist. Check the path.")
    try:
        return read_any_log(path, held=())
    except LogError as error:
        raise TableError(str(error)) from None
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror}. Check the path.") from None


def _check_header(log: AnyLog) -> None:
    columns, where = log.columns, f"{log.path}, line 1"
    repeated = [name for name, count in Counter(columns).items() if count > 1]
    if "" in columns:
        raise TableError(
            f"{where}: column {columns.index('') + 1} has no name. Name it, or delete the lines "
            "above the names of the columns."
        )
    if repeated:
        raise TableError(f"{where}: column '{repeated[0]}' appears twice. Rename one.")


def _not_a_row(log: AnyLog, record: Record) -> str:
    """Return the reason why a record is not a row of a table, with the remedy."""
    where = f"{log.path}, line {record.line}"
    if record.error:
        hint = "Close the quote, or delete the line if a write was torn there."
        return f"{where}: {record.error}. {hint}"
    n_cells, expected = len(record.cells), len(log.columns)
    if n_cells == expected:
        return f"{where}: a row of a latency log must be one line. Delete the line break in it."
    found = f"{where}: {counted(n_cells, 'field')}, expected {expected}"
    if expected == 1:
        return f"{found}. Delete the lines above the names of the columns."
    if n_cells > expected:
        return f"{found}. Quote cells that contain commas, or remove the extra ones."
    missing = f"{found}; '{log.columns[n_cells]}' is the first one missing"
    if record.is_last and not log.is_ended:
        return f"{missing}. The last line was torn while being written; delete it."
    return f"{missing}. Complete or delete the line."


def _typed(cells: pd.Series) -> pd.DataFrame:
    """Return a column of text as numbers, as the three statistics of its lists, or unchanged."""
    name = str(cells.name)
    levels = set(cells)  # equal cells are parsed once
    filled = [cell for cell in levels if cell.lower() not in MISSING]
    if filled and all(map(is_one_number, filled)):
        return pd.to_numeric(cells.where(cells != ""), errors="coerce").to_frame()
    if all(map(parse_list, levels)):
        statistics = [list_statistics(cell) for cell in cells]
        columns = [name + suffix for suffix in LIST_SUFFIXES]
        return pd.DataFrame(statistics, index=cells.index, columns=columns, dtype=float)
    return cells.astype("str").to_frame()
