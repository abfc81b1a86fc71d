"""This module holds the rows of a table, which are also read by column."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from profilers.log.records import number

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a CSV.

    Attributes:
        line: The number of its first line in the file; the header is line 1.
        cells: The text of each cell, by column.
        as_written: The cells of the file, in the order of `AnyLog.header`, with their units.
    """

    line: int
    cells: Mapping[str, str]
    as_written: tuple[str, ...]

    def number(self, column: str) -> float:
        """Return a cell as a number, see `number`; NaN when the column is absent."""
        return number(self.cells.get(column, ""))


class Rows(Protocol):
    """The rows of a table, one by one or by column."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def __iter__(self) -> Iterator[Row]:
        """Return the rows in order."""

    def __getitem__(self, place: int, /) -> Row:
        """Return one row."""

    def take(self, places: Sequence[int] | NDArray[np.intp]) -> Self:
        """Return some of the rows, in this order."""

    def lines(self) -> NDArray[np.int64]:
        """Return the line of each row in the file."""

    def texts(self, column: str) -> Sequence[str]:
        """Return the cells of a column as they are written; blank when it is absent."""

    def numbers(self, column: str) -> Vector:
        """Return the cells of a column as numbers, see `number`; NaN when it is absent."""

    def is_blank(self, column: str) -> NDArray[np.bool_]:
        """Return which cells of a column are blank."""

    def has_one_text(self, column: str) -> bool:
        """Return whether all cells of a column are the same, or there are none."""


class HeldRows(tuple[Row, ...]):
    """Rows of which all cells are held in memory."""

    __slots__ = ()

    def take(self, places: Sequence[int] | NDArray[np.intp]) -> Self:
        """Return some of the rows, in this order."""
        return type(self)(self[place] for place in places)

    def lines(self) -> NDArray[np.int64]:
        """Return the line of each row in the file."""
        return np.array([row.line for row in self], dtype=np.int64)

    def texts(self, column: str) -> list[str]:
        """Return the cells of a column as they are written; blank when it is absent."""
        return [row.cells.get(column, "") for row in self]

    def numbers(self, column: str) -> Vector:
        """Return the cells of a column as numbers, see `number`; NaN when it is absent."""
        return numbers_of(self.texts(column))

    def is_blank(self, column: str) -> NDArray[np.bool_]:
        """Return which cells of a column are blank."""
        return np.array([text == "" for text in self.texts(column)], dtype=np.bool_)

    def has_one_text(self, column: str) -> bool:
        """Return whether all cells of a column are the same, or there are none."""
        return len(set(self.texts(column))) < 2


def sampled(rows: Rows, n_rows: int, seed: int) -> Rows:
    """Return so many of the rows, drawn at random, in their order."""
    drawn = np.random.default_rng(seed).choice(len(rows), n_rows, replace=False)
    return rows.take(np.sort(drawn))


def numbers_of(texts: Sequence[str]) -> Vector:
    """Return texts as numbers. Equal texts are read once."""
    by_text = {text: number(text) for text in set(texts)}
    return np.array([by_text[text] for text in texts], dtype=np.float64)
