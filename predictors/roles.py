"""This module tells the role of each column of a log."""

from collections.abc import Sequence

import pandas as pd

from predictors.features import FeatureSchema, name_in_file
from profilers.log.column_names import is_known_before_measuring
from profilers.log.conditions import ONE_PER_FIT


def roles_of(
    frame: pd.DataFrame, schema: FeatureSchema, targets: Sequence[str], groups: Sequence[str] = ()
) -> dict[str, str]:
    """Return the role of every column of the file.

    A role is `target`, `feature`, `work` (read only by the physics of a recognised table),
    `condition` (must be the same in every row), `constant`, or `ignored` (a result, bookkeeping
    or text). A column that makes groups is `feature, group`, `work, group` and so on, or
    `group` alone.
    """
    features = {feature.name for feature in schema.features}
    work = schema.read_by_physics
    roles: dict[str, str] = {}
    for column in map(str, frame.columns):
        name = name_in_file(frame, column)
        if column in targets:
            role = "target"
        elif name in features:
            role = "feature"
        elif name in work:
            role = "work"
        elif name in ONE_PER_FIT:
            role = "condition"
        elif is_known_before_measuring(name, targets) and frame[column].nunique() <= 1:
            role = "constant"
        else:
            role = "ignored"
        if name in groups:
            role = "group" if role == "ignored" else f"{role}, group"
        roles[name] = role
    return roles
