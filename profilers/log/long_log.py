"""This module reads a long log of `automoe profile` by column, so that it fits into memory.

Numbers are held as numbers, and words that come again as places in a list. Cells of long texts that
differ, such as architectures, stay in the file until somebody asks for them.
"""

import csv
import io
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, Final, Self

import numpy as np
from numpy.typing import NDArray

from profilers.log.decoding import with_plain_characters
from profilers.log.headers import OURS
from profilers.log.log_rows import Row, Vector, numbers_of
from profilers.log.records import LARGEST, Record, number
from profilers.log.rows import IDENTITY_COLUMNS, LogError
from profilers.log.written_numbers import NUMBERS

LONG: Final = 16 * 2**20  # bytes from which a log is read in this way

_CHUNK: Final = 4 * 2**20  # bytes
_MOST_LEVELS: Final = 1000
_MOST_CHARACTERS: Final = 48  # of words that are held although they differ
_START: Final = ",".join(IDENTITY_COLUMNS).encode()
_ODD_BYTES: Final = (b"\0", b"\r", b"\x1b", b"\x1a")


class _OddLog(Exception):  # noqa: N818 - it tells the caller to read in another way
    """The file is not in the form in which `automoe profile` writes it."""


@dataclass(frozen=True, slots=True)
class LongLog:
    """A long log.

    Attributes:
        columns: The names of the columns.
        rows: The rows that have as many cells.
        malformed: The records with more or fewer cells.
        torn: The number of the last line when it does not end with a line break; else None.
    """

    columns: tuple[str, ...]
    rows: "FileRows"
    malformed: tuple[Record, ...]
    torn: int | None


class FileRows:
    """Rows of which some columns are held in memory, and the others stay in the file.

    Args:
        path: The file.
        names: The names of the columns.
        lines: The line of each row.
        offsets: The place of the first byte of each row.
        columns: The columns that are held.
    """

    def __init__(
        self,
        path: Path,
        names: tuple[str, ...],
        *,
        lines: NDArray[np.int64],
        offsets: NDArray[np.int64],
        columns: "dict[str, _Held]",
    ) -> None:
        self._path = path
        self._names = names
        self._lines = lines
        self._offsets = offsets
        self._columns = columns

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._lines)

    def __iter__(self) -> Iterator[Row]:
        """Return the rows in order."""
        return map(self._row, range(len(self)), self._cells(range(len(self))))

    def __getitem__(self, place: int) -> Row:
        """Return one row."""
        (cells,) = self._cells([place])
        return self._row(place, cells)

    def _row(self, place: int, cells: list[str]) -> Row:
        return Row(
            int(self._lines[place]), dict(zip(self._names, cells, strict=True)), tuple(cells)
        )

    def take(self, places: Sequence[int] | NDArray[np.intp]) -> Self:
        """Return some of the rows, in this order."""
        chosen = np.asarray(places, dtype=np.intp)
        return type(self)(
            self._path,
            self._names,
            lines=self._lines[chosen],
            offsets=self._offsets[chosen],
            columns={name: column.take(chosen) for name, column in self._columns.items()},
        )

    def lines(self) -> NDArray[np.int64]:
        """Return the line of each row in the file."""
        return self._lines

    def texts(self, column: str) -> Sequence[str]:
        """Return the cells of a column as they are written; blank when it is absent."""
        if column not in self._names:
            return [""] * len(self)
        held = self._columns.get(column)
        if held is not None and (texts := held.texts()) is not None:
            return texts
        index = self._names.index(column)
        return [cells[index] for cells in self._cells(range(len(self)))]

    def numbers(self, column: str) -> Vector:
        """Return the cells of a column as numbers, see `number`; NaN when it is absent."""
        held = self._columns.get(column)
        if held is not None and (values := held.numbers()) is not None:
            return values
        return numbers_of(self.texts(column))

    def is_blank(self, column: str) -> NDArray[np.bool_]:
        """Return which cells of a column are blank."""
        held = self._columns.get(column)
        if isinstance(held, _Numbers):
            return np.isnan(held.values)
        return np.array([text == "" for text in self.texts(column)], dtype=np.bool_)

    def has_one_text(self, column: str) -> bool:
        """Return whether all cells of a column are the same, or there are none."""
        held = self._columns.get(column)
        if isinstance(held, _Numbers):
            return len(np.unique(held.values)) < 2
        return len(set(self.texts(column))) < 2

    def _cells(self, places: Sequence[int]) -> Iterator[list[str]]:
        """Read some rows again.

        Raises:
            LogError: The file has changed since it was read.
        """
        with self._path.open("rb") as file:
            for place in places:
                file.seek(self._offsets[place])
                cells = _cells_of(file.readline().decode(errors="replace"))
                if len(cells) != len(self._names):
                    raise LogError(f"{self._path} has changed while it was read. Try again.")
                yield cells


@dataclass(frozen=True, slots=True, eq=False)
class _Numbers:
    """A column of numbers and blank cells, which are NaN. Its texts stay in the file."""

    values: Vector

    def take(self, places: NDArray[np.intp]) -> "_Numbers":
        return _Numbers(self.values[places])

    def numbers(self) -> Vector:
        return self.values

    def texts(self) -> None:
        return None


@dataclass(frozen=True, slots=True, eq=False)
class _Levels:
    """A column of few different texts."""

    codes: NDArray[np.int16]
    levels: tuple[str, ...]

    def take(self, places: NDArray[np.intp]) -> "_Levels":
        return _Levels(self.codes[places], self.levels)

    def numbers(self) -> Vector:
        values = np.array([number(text) for text in self.levels], dtype=np.float64)
        return values[self.codes]

    def texts(self) -> list[str]:
        return [self.levels[code] for code in self.codes.tolist()]


@dataclass(frozen=True, slots=True, eq=False)
class _Words:
    """A column of short texts that differ, as UTF-8."""

    encoded: NDArray[np.bytes_]

    def take(self, places: NDArray[np.intp]) -> "_Words":
        return _Words(self.encoded[places])

    def numbers(self) -> None:
        return None

    def texts(self) -> list[str]:
        return [word.decode() for word in self.encoded.tolist()]


_Held = _Numbers | _Levels | _Words


class _Column:
    """A column while it is read. It begins as one of few texts."""

    def __init__(self) -> None:
        self._kind: type[_Held] | None = _Levels
        self._places: dict[str, int] = {}
        self._parts: list[NDArray[np.generic]] = []
        self._may_have_commas = True

    def add(self, cells: Sequence[str]) -> None:
        """Add the cells of a chunk.

        Raises:
            _OddLog: They are numbers with commas, which `written_numbers` reads.
        """
        if self._kind in (_Levels, _Words):
            cells = [cell.strip() for cell in cells]
            self._require_no_commas(cells)
        if self._kind is _Levels:
            places = self._places
            codes = [places.setdefault(cell, len(places)) for cell in cells]
            if len(places) <= _MOST_LEVELS:
                self._parts.append(np.array(codes, dtype=np.int16))
                return
            self._change(np.array(codes, dtype=np.int64))
        elif self._kind is not None:
            self._parts += self._part(cells)

    def _change(self, codes: NDArray[np.int64]) -> None:
        """Go on with numbers or words, because the texts are too many."""
        levels = list(self._places)
        self._kind = _Numbers if _as_numbers(levels) is not None else _Words
        every = np.concatenate([*self._parts, codes]).astype(np.intp)
        self._parts = [values[every] for values in self._part(levels)]
        self._places = {}

    def _part(self, cells: Sequence[str]) -> list[NDArray[np.generic]]:
        """Return a chunk in the form of this column. Where it does not fit, none is held."""
        part = None
        if self._kind is _Numbers:
            part = _as_numbers(cells)
        elif self._kind is _Words and max(map(len, cells)) <= _MOST_CHARACTERS:
            part = np.array([cell.encode() for cell in cells])
        if part is None:
            self._require_no_commas(cells)
            self._kind, self._parts = None, []
            return []
        return [part]

    def _require_no_commas(self, cells: Sequence[str]) -> None:
        if self._may_have_commas and any("," in cell for cell in cells):
            if all(map(NUMBERS["."].fullmatch, filter(None, cells))):
                raise _OddLog
            self._may_have_commas = False

    def held(self) -> _Held | None:
        """Return the column; None when it stays in the file."""
        if self._kind is None or not self._parts:
            return None
        every, self._parts = np.concatenate(self._parts), []
        if self._kind is _Levels:
            return _Levels(every.astype(np.int16, copy=False), tuple(self._places))
        if self._kind is _Words:
            return _Words(every.astype(np.bytes_, copy=False))
        return _Numbers(every.astype(np.float64, copy=False))


def read_long(path: Path, held: Collection[str] | None = None) -> LongLog | None:
    """Return a long log; None for a short one, or one that is not in its own form.

    Args:
        path: The file.
        held: The columns that are held in memory; None for all.
    """
    if not path.is_file() or path.stat().st_size < LONG:
        return None
    with path.open("rb") as file:
        try:
            return _read(path, file, held)
        except (_OddLog, UnicodeDecodeError, csv.Error):
            return None


def _read(path: Path, file: BinaryIO, held: Collection[str] | None) -> LongLog:
    header = file.readline()
    if not header.startswith(_START) or any(odd in header for odd in _ODD_BYTES):
        raise _OddLog
    names = tuple(_cells_of(header.decode()))
    if not set(names) >= OURS or "" in names or len(set(names)) < len(names):
        raise _OddLog
    columns = {name: _Column() for name in names if held is None or name in held}
    lines, offsets = list[NDArray[np.int64]](), list[NDArray[np.int64]]()
    malformed: list[Record] = []
    line, offset, torn = 2, len(header), None
    while chunk := file.readlines(_CHUNK):
        ends = list(accumulate(map(len, chunk), initial=offset))
        if not chunk[-1].endswith(b"\n"):
            chunk.pop()
            torn = line + len(chunk)
        records = _records_of(chunk)
        is_row = [len(cells) == len(names) and _is_filled(cells) for cells in records]
        malformed += [
            Record(line + i, line + i, tuple(map(str.strip, cells)))
            for i, cells in enumerate(records)
            if not is_row[i] and _is_filled(cells)
        ]
        if sound := [i for i, is_one in enumerate(is_row) if is_one]:
            table = dict(zip(names, zip(*(records[i] for i in sound), strict=True), strict=True))
            for name, column in columns.items():
                column.add(table[name])
            lines.append(line + np.array(sound, dtype=np.int64))
            offsets.append(np.array(ends, dtype=np.int64)[sound])
        line, offset = line + len(chunk), ends[-1]
    if not lines:
        raise _OddLog
    kept = {name: own for name, column in columns.items() if (own := column.held()) is not None}
    rows = FileRows(
        path, names, lines=np.concatenate(lines), offsets=np.concatenate(offsets), columns=kept
    )
    return LongLog(names, rows, tuple(malformed), torn)


def _records_of(chunk: Sequence[bytes]) -> list[list[str]]:
    """Return the cells of each line.

    Raises:
        _OddLog: A cell has several lines, or the text has characters that `decoding` removes.
    """
    data = b"".join(chunk)
    text = data.decode()
    if any(odd in data for odd in _ODD_BYTES) or with_plain_characters(text) != text:
        raise _OddLog
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    lines = io.StringIO(text, newline="")
    records = list(csv.reader(lines, strict=True, skipinitialspace=True))
    if len(records) != len(chunk):
        raise _OddLog
    return records


def _is_filled(cells: Sequence[str]) -> bool:
    return any(not cell.isspace() for cell in cells if cell)


def _cells_of(line: str) -> list[str]:
    reader = csv.reader([line], strict=True, skipinitialspace=True)
    return [cell.strip() for cell in next(reader, [])]


def _as_numbers(cells: Sequence[str]) -> Vector | None:
    """Return cells as numbers with NaN for blank ones; None when they are not all such."""
    is_blank = "" in cells
    try:
        values = np.array(
            [float(cell or "nan") for cell in cells] if is_blank else list(map(float, cells))
        )
    except ValueError:
        return None
    n_blank = sum(not cell for cell in cells) if is_blank else 0
    is_plain = np.isnan(values).sum() == n_blank and "_" not in ",".join(cells)
    return values if is_plain and not (np.abs(values) > LARGEST).any() else None
