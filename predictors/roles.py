"""What each column of a log was taken for."""

from collections.abc import Sequence

import pandas as pd

from predictors.cells import LIST_SUFFIXES
from predictors.conditions import FLAGS
from predictors.features import FeatureSchema
from predictors.words import CONDITIONS, is_known_before_measuring


def roles_of(
    frame: pd.DataFrame, schema: FeatureSchema, targets: Sequence[str], groups: Sequence[str] = ()
) -> dict[str, str]:
    """The role of every column of the file.

    `target`, `feature`, `work` (read by the physics of a recognised table only), `condition`
    (must be the same in every row), `constant`, or `ignored` (a result, bookkeeping or text).
    """
    features = {feature.name for feature in schema.features}
    work = set(schema.physics.roles.values()) if schema.physics else set()
    found: dict[str, str] = {}
    for column in map(str, frame.columns):
        name = _of_file(column, frame)
        if column in targets:
            role = "target"
        elif name in features:
            role = "feature, group" if name in groups else "feature"
        elif name in work:
            role = "work"
        elif name in CONDITIONS or name == FLAGS:
            role = "condition"
        elif is_known_before_measuring(name, targets) and frame[column].nunique() <= 1:
            role = "constant"
        else:
            role = "ignored"
        found[name] = role
    return found


def _of_file(column: str, frame: pd.DataFrame) -> str:
    """The name in the file of a column that `read_table` may have made of a list."""
    base, _, suffix = column.rpartition(".")
    is_list = bool(base) and f".{suffix}" in LIST_SUFFIXES and f"{base}.count" in frame
    return base if is_list else column
