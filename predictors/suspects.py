"""This module lists the columns that may be results by their values, as no name clears them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from predictors.features import FeatureSchema
from predictors.table import numbers
from profilers.log.column_names import kind_of_name, words

Vector = NDArray[np.float64]

_LEAST_DIGITS = 3
_LEAST_VALUES = 10
# Names of parts of a model: their sizes are whole numbers, and a time of each is not.
_PARTS = frozenset(
    {"ffn", "mlp", "kernel", "rank", "stage", "stages", "layer", "layers", "block", "blocks"}
    | {"head", "heads", "embed", "expert", "experts", "input", "inputs", "output", "outputs"}
    | {"prompt", "context"}
)
_WORK_OR_RATE = frozenset({"flop", "flops", "gflop", "gflops", "mflops"})


@dataclass(frozen=True, slots=True)
class Suspect:
    """A column that may be a result.

    Attributes:
        name: Its name.
        log: The logarithms of its values, or its values when some are not above 0, shape (rows,).
        is_whole: Whether all its values are whole numbers.
        is_positive: Whether all its values are above 0.
    """

    name: str
    log: Vector
    is_whole: bool
    is_positive: bool

    def at(self, rows: NDArray[np.int64]) -> "Suspect":
        """Return the suspect in some of the rows."""
        return replace(self, log=self.log[rows])


def suspects_in(
    frame: pd.DataFrame,
    schema: FeatureSchema,
    latency_ms: Vector,
    targets: Sequence[str],
    *,
    kind: Literal["unclear", "input"] = "unclear",
) -> list[Suspect]:
    """Return the columns of measured-looking numbers whose names do not clear them.

    Args:
        frame: The usable rows.
        schema: The features by their names.
        latency_ms: The latency of each row, shape (rows,).
        targets: The target columns.
        kind: The kind that a column has by its name. Of the inputs, only numbers of FLOPs may be
            results.
    """
    least = max(_LEAST_VALUES, len(np.unique(latency_ms)) // 2)
    cleared = schema.read_by_physics
    suspects = []
    for feature in schema.features:
        is_list = feature.kind == "list" and feature.name not in frame
        is_open = (is_list or feature.kind == "numeric") and feature.name not in cleared
        named = kind_of_name(feature.name, targets)
        is_part = kind == "unclear" and named == "input" and _names_part(feature.name)
        if not is_open or not (named == kind or is_part):
            continue
        if kind == "input" and _WORK_OR_RATE.isdisjoint(words(feature.name)):
            continue
        values = numbers(frame, f"{feature.name}.mean" if is_list else feature.name)
        is_whole = bool((values == np.round(values)).all())
        if len(np.unique(values)) < least or (is_part and is_whole):
            continue
        digits = [len(f"{x:.12g}".replace(".", "").strip("0")) for x in values]
        if np.median(digits) >= _LEAST_DIGITS:
            is_positive = bool((values > 0).all())
            logs = np.log(values) if is_positive else values
            suspects.append(Suspect(feature.name, logs, is_whole, is_positive))
    return suspects


def _names_part(name: str) -> bool:
    """Return whether a name says a part of a model and nothing else: `ffn`, `layer_3`."""
    own = [word for word in words(name) if not word.isdigit()]
    return bool(own) and _PARTS.issuperset(own)
