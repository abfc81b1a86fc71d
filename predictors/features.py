"""This module chooses the features of a table and turns them into a matrix of numbers."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from predictors.cells import LIST_SUFFIXES, kind_of, list_statistics
from predictors.physics import Physics, recognise
from predictors.table import TableError, locate, numbers, require, source
from predictors.targets import absence
from profilers.log.column_names import is_known_before_measuring, kind_of_name, words
from profilers.log.known_tables import known_table
from profilers.log.records import LARGEST

PREFIX = "feature_"
_NUMBER = f"a feature must be a number from {-LARGEST:g} to {LARGEST:g}"
_RECIPROCAL = "a feature with infinite numbers must be above 0"
_LIST = f"a list must hold numbers up to {LARGEST:g}, and at least one"
_MOST_BLANK = 0.5
_MAX_LEVELS = 20  # a text with more levels names things and does not describe them


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature and its encoding.

    Attributes:
        name: The column. For a list feature it is the name before `.mean`, `.sum` and `.count`.
        kind: `numeric` gives one column, `list` three, `categorical` one per level. `reciprocal`
            gives one that holds 1 over the number, because some rows are infinite, such as a
            request rate of `inf`.
        levels: The known values of a categorical feature, sorted.
    """

    name: str
    kind: Literal["numeric", "categorical", "list", "reciprocal"]
    levels: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the matrix columns that this feature becomes."""
        if self.kind == "list":
            return tuple(self.name + suffix for suffix in LIST_SUFFIXES)
        if self.kind == "categorical":
            return tuple(f"{self.name}={level}" for level in self.levels)
        if self.kind == "reciprocal":
            return (f"1/{self.name}",)
        return (self.name,)


@dataclass(frozen=True, slots=True)
class FeatureSchema:
    """The features of a log, in a fixed order.

    Attributes:
        features: The columns that are used as they are.
        physics: The derived columns of a recognised table. They come last.
    """

    features: tuple[Feature, ...]
    physics: Physics | None = None

    @classmethod
    def infer(
        cls,
        frame: pd.DataFrame,
        targets: Sequence[str],
        features: Sequence[str] | None = None,
        *,
        without: Collection[str] = (),
    ) -> Self:
        """Return the features of a log.

        These are the columns named in `features`. Without names they are the columns whose name
        begins with `feature_`. When there is no such column, they are all columns that vary, can
        be known before the measurement by their name (see `profilers.log.column_names`), and are
        not a text with more levels than 20 or than half the rows.
        A recognised table (see `predictors.physics`) adds derived columns, unless `features`
        leaves out a column that they need.

        Args:
            frame: The log, from `read_table` or of the same form.
            targets: The target columns, which are never features.
            features: Names of columns, or None to infer them.
            without: Columns that are not inferred to be features.

        Raises:
            TableError: A named column is absent or a target, or no feature is left.
        """
        if features is None:
            names = [x for x in _own_features(frame, targets) if x not in without]
        else:
            names = list(features)
        own = tuple(_describe(frame, name, targets) for name in dict.fromkeys(names))
        if not own:
            raise TableError(
                f"{source(frame)}: no column can serve as a feature. "
                "Name them, or add columns called feature_*."
            )
        offered = names if features is not None else list(map(str, frame.columns))
        return cls(own, recognise([name for name in offered if name not in targets]))

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the matrix columns, in order."""
        own = tuple(column for feature in self.features for column in feature.columns)
        return own + (self.physics.columns if self.physics else ())

    @property
    def is_marked(self) -> bool:
        """Whether the names of the columns themselves mark them as features."""
        return all(feature.name.startswith(PREFIX) for feature in self.features)

    @property
    def measured(self) -> NDArray[np.bool_]:
        """A mask of the matrix columns: true for a quantity, false for a level of a category."""
        own = [f.kind != "categorical" for f in self.features for _ in f.columns]
        return np.array(own + [True] * (len(self.columns) - len(own)))

    @property
    def architecture(self) -> tuple[str, ...]:
        """The columns that make an architecture of a recognised table; empty for other tables."""
        return self.physics.architecture if self.physics else ()

    @property
    def read_by_physics(self) -> frozenset[str]:
        """The columns of the log that have a role in the physics of a recognised table."""
        return frozenset(self.physics.roles.values() if self.physics else ())

    @property
    def work_columns(self) -> tuple[int, ...]:
        """The indices of the columns whose prices add up to a latency: the work, or all."""
        work = self.physics.work if self.physics else self.columns
        return tuple(index for index, name in enumerate(self.columns) if name in work)

    @property
    def overlap_columns(self) -> tuple[int, ...]:
        """The indices of computing, reading and moving, see `Roofline`; empty without them."""
        return tuple(map(self.columns.index, self.physics.overlap if self.physics else ()))

    @property
    def own_columns(self) -> tuple[int, ...]:
        """The indices of the log's own columns; empty when no column is a derived one."""
        n_own = len(self.columns) - len(self.physics.columns if self.physics else ())
        return tuple(range(n_own)) if self.physics else ()

    @property
    def flops_columns(self) -> tuple[int, ...]:
        """The indices of the columns that add up to the total FLOPs; empty without such columns.

        A column with the words `total` and `flops` (or `gflops`, `macs`) is the total. When there
        is no such column, the total is the sum of every column with `flops` or a like word.
        """
        units = {"flops", "mflops", "gflops", "macs"}
        counts = [units & set(words(column)) for column in self.columns]
        parts = [index for index, count in enumerate(counts) if count]
        totals = [index for index in parts if "total" in words(self.columns[index])]
        return tuple(totals[:1] or parts)

    def matrix(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Return the features of every row, shape (rows, len(self.columns)).

        Raises:
            TableError: A column is missing, a cell is not a number or not a list of numbers, or
                a level of a category was not in the log.
        """
        if absent := self._absent(frame):
            need = "A predictor needs every column it was fitted with."
            raise TableError(f"{absence(frame, absent)} {need}")
        plain = _plain_numbers(frame, self.features)
        own = [_encode(frame, x) for x in self.features] if plain is None else [plain]
        return np.column_stack([*own, *([self.physics.matrix(frame)] if self.physics else [])])

    def own_matrix(self, frame: pd.DataFrame) -> tuple[NDArray[np.float64], list[str]]:
        """Return the log's own features of every row, and the name of the feature of each column.

        Raises:
            TableError: As for `matrix`.
        """
        owner = [feature.name for feature in self.features for _ in feature.columns]
        return self.matrix(frame)[:, : len(owner)], owner

    def remarks(self, frame: pd.DataFrame) -> tuple[str, ...]:
        """Return a sentence for each feature that is not taken as it is written."""
        names = [feature.name for feature in self.features if feature.kind == "reciprocal"]
        return tuple(
            f"{name!r} is infinite in {_is_infinite(frame, name).sum()} of {len(frame)} rows; the "
            f"feature is 1/{name}, which is 0 there"
            for name in names
        )

    def _absent(self, frame: pd.DataFrame) -> list[str]:
        """Return the columns that are needed and that the table lacks."""
        own = [f.name for f in self.features if not _is_expanded_list(frame, f.name)]
        needed = [*own, *(self.physics.roles.values() if self.physics else ())]
        return [name for name in dict.fromkeys(needed) if name not in frame]


def constants(frame: pd.DataFrame, targets: Sequence[str]) -> dict[str, float]:
    """Return the numeric columns that could be features but have one value all over the log."""
    table = known_table([str(name) for name in frame.columns])
    return {
        name: float(frame[name].iloc[0])
        for name in map(str, frame.columns)
        if pd.api.types.is_numeric_dtype(frame[name])
        and frame[name].nunique(dropna=False) == 1
        and np.isfinite(frame[name].iloc[0])
        and is_known_before_measuring(name, targets)
        and (table is None or table.may_be_feature(name, list(map(str, frame.columns))))
    }


def _own_features(frame: pd.DataFrame, targets: Sequence[str]) -> list[str]:
    names = [str(name) for name in frame.columns]
    bases = [name_in_file(frame, name) for name in names]
    marked = [base for base in bases if base.startswith(PREFIX)]
    if marked:
        return marked
    reasons = left_out(frame, targets)
    varying = {base for name, base in zip(names, bases, strict=True) if _varies(frame[name])}
    known = [b for b in bases if b in varying and is_known_before_measuring(b, targets)]
    return [base for base in known if base not in reasons]


def left_out(frame: pd.DataFrame, targets: Sequence[str]) -> dict[str, str]:
    """Return the columns that vary but are no features by their names, with the reason for each.

    Bookkeeping, conditions and targets are not among them. The table is empty when columns are
    named `feature_*`, because then nothing is left to judge.
    """
    names = list(dict.fromkeys(name_in_file(frame, str(name)) for name in frame.columns))
    if any(name.startswith(PREFIX) for name in names):
        return {}
    table = known_table(names)
    reasons: dict[str, str] = {}
    for name in [name for name in names if name in frame and name not in targets]:
        kind = kind_of_name(name, targets)
        n_blank = int(frame[name].isna().sum())
        if kind in ("condition", "bookkeeping") or not _varies(frame[name]):
            continue
        if table is not None and not table.may_be_feature(name, names):
            reasons[name] = f"not an input in a table of {table.program}"
        elif kind == "result":
            reasons[name] = "a result, by its name"
        elif n_blank >= _MOST_BLANK * len(frame):
            reasons[name] = f"blank in {n_blank} of {len(frame)} rows"
    return reasons


def name_in_file(frame: pd.DataFrame, name: str) -> str:
    """Return the name of the list column that `name` is a statistic of, or `name` itself."""
    base = name.rpartition(".")[0]
    return base if base and _is_expanded_list(frame, base) else name


def _is_expanded_list(frame: pd.DataFrame, base: str) -> bool:
    return all(base + suffix in frame for suffix in LIST_SUFFIXES)


def _varies(column: pd.Series) -> bool:
    levels = (column.map(str) if column.dtype == object else column).nunique(dropna=False)
    if levels < 2 or levels <= min(_MAX_LEVELS, len(column) / 2):
        return levels > 1
    return _kind(column) != "categorical"


def _kind(column: pd.Series) -> Literal["numeric", "categorical", "list"]:
    is_number = pd.api.types.is_numeric_dtype(column)
    return "numeric" if is_number else kind_of([str(cell) for cell in column])


def _describe(frame: pd.DataFrame, name: str, targets: Sequence[str]) -> Feature:
    if name in targets:
        raise TableError(f"{source(frame)}: '{name}' is a target and cannot be a feature too.")
    if _is_expanded_list(frame, name):
        return Feature(name, "list")
    if name not in frame:
        raise TableError(absence(frame, [name]))
    kind = _kind(frame[name])
    if kind == "numeric" and _is_infinite(frame, name).any():
        return Feature(name, "reciprocal")
    levels = sorted(set(map(str, frame[name]))) if kind == "categorical" else ()
    return Feature(name, kind, tuple(levels))


def _encode(frame: pd.DataFrame, feature: Feature) -> NDArray[np.float64]:
    if feature.kind == "list" and _is_expanded_list(frame, feature.name):
        return np.column_stack([_numbers(frame, column) for column in feature.columns])
    if feature.kind == "list":
        values = np.array([list_statistics(cell) for cell in frame[feature.name]]).reshape(-1, 3)
        require(frame, feature.name, np.abs(values[:, 1]) <= LARGEST, _LIST)
        return values
    if feature.kind == "numeric":
        return _numbers(frame, feature.name)[:, None]
    if feature.kind == "reciprocal":
        values = numbers(frame, feature.name)
        require(frame, feature.name, values > 0, _RECIPROCAL)
        return np.asarray(1 / values[:, None])
    return _indicators(frame, feature)


def _plain_numbers(frame: pd.DataFrame, features: Sequence[Feature]) -> NDArray[np.float64] | None:
    """Return all features at once, which is fast enough for a search.

    Return None when a cell needs a closer look.
    """
    if not features or any(feature.kind != "numeric" for feature in features):
        return None
    columns = frame[[feature.name for feature in features]]
    if not all(dtype.kind in "iuf" for dtype in columns.dtypes):
        return None
    values = columns.to_numpy(dtype=np.float64)
    is_plain = values.shape[1] == len(features) and bool((np.abs(values) <= LARGEST).all())
    return values if is_plain else None


def _is_infinite(frame: pd.DataFrame, name: str) -> NDArray[np.bool_]:
    return np.asarray(np.isposinf(numbers(frame, name)))


def _numbers(frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    values = numbers(frame, name)
    require(frame, name, np.abs(values) <= LARGEST, _NUMBER)
    return values


def _indicators(frame: pd.DataFrame, feature: Feature) -> NDArray[np.float64]:
    """Return one column per known level, which is 1 where the row has that level."""
    cells = np.array([str(cell) for cell in frame[feature.name]], dtype=object)
    matches = cells[:, None] == np.array(feature.levels, dtype=object)
    if not matches.any(axis=1).all():
        row = int(matches.any(axis=1).argmin())
        raise TableError(
            f"{locate(frame, row, feature.name)}: level '{cells[row]}' was not in the log. Known: "
            f"{', '.join(feature.levels)}. Measure some rows with it and fit again, "
            "or delete the line."
        )
    return np.asarray(matches, dtype=np.float64)
