"""This module reads the conditions of a log, and tells which of its rows can be used."""

from collections.abc import Collection, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from devices.yaml_json import parse_json
from predictors.table import TableError, source, written
from profilers.log.column_names import words
from profilers.log.conditions import DETAILS, ONE_PER_FIT

FLAGS: Final = "flags"
BAD_FLAGS: Final = frozenset({"failed"})

_SHOWN = 5


def usable_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are not flagged as failed.

    These are all rows when there is no column `flags`.
    """
    if FLAGS not in frame:
        return frame
    return frame.loc[[BAD_FLAGS.isdisjoint(words(str(cell))) for cell in frame[FLAGS]]]


def conditions(frame: pd.DataFrame, *, varied: Collection[str] = ()) -> dict[str, str]:
    """Return the conditions of a log: the value of each condition column.

    Args:
        frame: The usable rows.
        varied: Columns that are targets or features and may therefore differ from row to row.

    Raises:
        TableError: When the rows were measured under different conditions.
    """
    held: dict[str, str] = {}
    for name in ONE_PER_FIT:
        if name not in frame or name in varied:
            continue
        values = list(dict.fromkeys(map(written, frame[name])))
        if len(values) > 1:
            raise TableError(
                f"{source(frame)} mixes measurements: column '{name}' has {_listed(values)}. Keep "
                f"the rows of one value, or name all features and '{name}' among them."
            )
        held[name] = values[0]
    return held


def details(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the details of the conditions, as JSON values by condition.

    The program that wrote the log knows what they mean. Here they are only passed on. Rows under
    the same conditions have the same details, so the first value in a column counts.

    Raises:
        TableError: A cell is not JSON.
    """
    held: dict[str, Any] = {}
    for column, condition in DETAILS.items():
        text = next((x for x in map(str, frame.get(column, pd.Series()).dropna()) if x), None)
        if text is None:
            continue
        try:
            held[condition] = parse_json(text)
        except ValueError as error:
            raise TableError(
                f"{source(frame)}: column '{column}' must hold JSON. Got {text[:40]!r} ({error}). "
                "Delete the column; a fit does not need it."
            ) from None
    return held


def other_conditions(frame: pd.DataFrame, held: Mapping[str, str]) -> tuple[str, ...]:
    """Return one line for each condition in which rows differ from a log.

    Args:
        frame: The rows to predict. A condition that is not in them is not compared.
        held: The conditions of the log, by column.
    """
    differences = []
    for name in [name for name in held if name in frame]:
        values = dict.fromkeys(map(written, frame[name].dropna()))
        others = [value for value in values if value not in ("", held[name])]
        if others:
            differences.append(
                f"column '{name}' was '{held[name]}' in the log that was fitted and is "
                f"{_listed(others)} in {source(frame)}"
            )
    return tuple(differences)


def noise_floor(frame: pd.DataFrame, latency_ms: np.ndarray) -> float | None:
    """Return the median half-width of the rows' confidence intervals over their latency.

    Return None when the log has no `ci_low_ms` and `ci_high_ms`, or when no cell is a number.
    """
    if not {"ci_low_ms", "ci_high_ms"} <= set(frame.columns):
        return None
    low, high = (pd.to_numeric(frame[f"ci_{end}_ms"], errors="coerce") for end in ("low", "high"))
    widths = ((high - low) / (2 * latency_ms)).dropna()
    return float(widths.median()) if len(widths) else None


def _listed(values: list[str]) -> str:
    shown = ", ".join(f"'{value}'" for value in values[:_SHOWN])
    return shown + (f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else "")
