"""This module lists the models that compete in a fit, simplest first."""

from collections.abc import Sequence
from typing import Any

from predictors.models.base import LatencyModel
from predictors.models.blend import RooflineBlend
from predictors.models.linear import LogRidge, Ridge
from predictors.models.mlp import HatMlp
from predictors.models.plain import PlainBlend, PlainRoofline
from predictors.models.roofline import (
    FlopsLine,
    Roofline,
    RooflineBoost,
    RooflineGaussian,
    RooflineRidge,
)

_CLASSES: dict[str, type[LatencyModel]] = {
    "flops_line": FlopsLine,
    "roofline": Roofline,
    "ridge": Ridge,
    "log_ridge": LogRidge,
    "roofline_ridge": RooflineRidge,
    "roofline_boost": RooflineBoost,
    "roofline_gaussian": RooflineGaussian,
    "roofline_blend": RooflineBlend,
    "plain_roofline": PlainRoofline,
    "plain_blend": PlainBlend,
    "hat_mlp": HatMlp,  # competes no more, but predictors of 0.1.0 may hold it
}


def competitors(
    *,
    work_columns: Sequence[int] | None = None,
    flops_columns: Sequence[int] = (),
    overlap: tuple[int, ...] = (),
    own_columns: Sequence[int] = (),
    seed: int = 0,
) -> dict[str, LatencyModel]:
    """Return the unfitted models by name, simplest first.

    Args:
        work_columns: The matrix columns that add up to a latency; None takes all.
        flops_columns: The matrix columns that add up to the FLOPs. Without them the FLOPs line
            does not compete.
        overlap: The columns of computing, reading and moving, see `Roofline`. With them, no power
            law competes and the blend holds none.
        own_columns: The columns of the log itself, when there are derived ones too. Models that
            see only these then compete.
        seed: The seed of the models that draw at random.
    """
    work = None if work_columns is None else tuple(work_columns)
    models: dict[str, LatencyModel] = {}
    if flops_columns:
        models["flops_line"] = FlopsLine(tuple(flops_columns))
    models["roofline"] = Roofline(work, overlap)
    if not overlap:  # few architectures are known, and these err by twice on one unlike them
        models |= {"ridge": Ridge(), "log_ridge": LogRidge(), "roofline_ridge": RooflineRidge(work)}
    models["roofline_boost"] = RooflineBoost(work, overlap, seed=seed)
    models["roofline_gaussian"] = RooflineGaussian(work, overlap)
    models["roofline_blend"] = RooflineBlend(work, overlap, seed=seed)
    if own_columns:
        models["plain_roofline"] = PlainRoofline(tuple(own_columns))
        models["plain_blend"] = PlainBlend(tuple(own_columns))
    return models


def model_state(model: LatencyModel) -> dict[str, Any]:
    """Return the parameters and the fitted attributes of a model."""
    return dict(vars(model))


def restore_model(name: str, state: dict[str, Any]) -> LatencyModel:
    """Return the model `name` with a state from `model_state`.

    Raises:
        ValueError: No model has this name.
    """
    if name not in _CLASSES:
        raise ValueError(f"Unknown model '{name}'. Known: {', '.join(_CLASSES)}.")
    return _CLASSES[name]().restore(state)
