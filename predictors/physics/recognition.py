"""This module recognises kinds of tables by their columns."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from predictors.physics import dense_transformer, moe_layer
from predictors.physics.role import Role
from predictors.table import numbers, positive_column, require
from profilers.log.column_names import words

Kind = Literal["moe_layer", "dense_transformer"]
_LARGEST_SIZE = 1e8  # arrays as long as there are experts must fit in memory
_MODULES = {"moe_layer": moe_layer, "dense_transformer": dense_transformer}


@dataclass(frozen=True, slots=True)
class Physics:
    """A recognised kind of table.

    Attributes:
        kind: The kind of table: `moe_layer` has one row per sparse layer, `dense_transformer` one
            row per translation model, as HAT and AutoMoE publish them.
        roles: The table's column for each role of that kind.
        version: The version of the derived columns; 1 in files of 0.1.0.
    """

    kind: Kind
    roles: dict[str, str]
    version: int = 1

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the derived columns: `work`, then those that say how fast it is done."""
        return (*self.work, *_MODULES[self.kind].CIRCUMSTANCES)

    @property
    def work(self) -> tuple[str, ...]:
        """The derived columns whose prices add up to the latency."""
        module = _MODULES[self.kind]
        return tuple(name for name in module.WORK if self.version > 1 or name not in module.LATER)

    @property
    def overlap(self) -> tuple[str, ...]:
        """The work of computing, reading and moving, see `Roofline`; empty without them."""
        return tuple(_MODULES[self.kind].OVERLAP)

    @property
    def architecture(self) -> tuple[str, ...]:
        """The table's columns that make an architecture; empty when each row is another one."""
        return tuple(
            self.roles[role] for role in _MODULES[self.kind].ARCHITECTURE if role in self.roles
        )

    def matrix(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Return the derived columns of every row, shape (rows, len(self.columns)).

        Raises:
            TableError: A quantity is not a number above 0.
        """
        module = _MODULES[self.kind]
        known = {role.name: role for role in module.ROLES}
        values = {
            name: _text(frame, column)
            if known[name].is_text
            else _sizes(frame, column, may_be_zero=known[name].may_be_zero)
            for name, column in self.roles.items()
        }
        return (
            module.derive(values, version=self.version)
            if len(frame)
            else np.empty((0, len(self.columns)))
        )


def recognise(columns: Collection[str]) -> Physics | None:
    """Return the kind of table that has these columns, or None when no known kind has them.

    A role has several names. Names are compared by their words in lower case.
    """
    for kind, module in _MODULES.items():
        roles = _assign(module.ROLES, columns)
        if roles is not None:
            return Physics(kind, roles, version=2)  # type: ignore[arg-type]  # the keys are the literals
    return None


def _assign(roles: Collection[Role], columns: Collection[str]) -> dict[str, str] | None:
    by_words = {"_".join(words(name)): name for name in columns}
    assigned: dict[str, str] = {}
    for role in roles:
        names = [by_words[name] for name in role.names if name in by_words]
        if names:
            assigned[role.name] = names[0]
        elif not role.is_optional:
            return None
    if "shard" in words(assigned.get("width", "")):  # the width is divided already
        assigned.pop("tensor_parallel", None)
    return assigned


def _sizes(frame: pd.DataFrame, column: str, *, may_be_zero: bool) -> NDArray[np.float64]:
    if not may_be_zero:
        return positive_column(frame, column, what="a size", most=_LARGEST_SIZE)
    sizes = numbers(frame, column)
    must_be = f"this number must lie between 0 and {_LARGEST_SIZE:g}"
    require(frame, column, (sizes >= 0) & (sizes <= _LARGEST_SIZE), must_be)
    return sizes


def _text(frame: pd.DataFrame, column: str) -> NDArray[np.object_]:
    return np.array([str(cell) for cell in frame[column]], dtype=object)
