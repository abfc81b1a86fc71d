"""This package holds the competing models of a fit, with the methods of scikit-learn."""

from predictors.models.base import LatencyModel
from predictors.models.blend import RooflineBlend
from predictors.models.competitors import competitors, model_state, restore_model
from predictors.models.linear import LogRidge, Ridge
from predictors.models.mlp import HatMlp
from predictors.models.roofline import (
    FlopsLine,
    Roofline,
    RooflineBoost,
    RooflineGaussian,
    RooflineRidge,
)

__all__ = [
    "FlopsLine",
    "HatMlp",
    "LatencyModel",
    "LogRidge",
    "Ridge",
    "Roofline",
    "RooflineBlend",
    "RooflineBoost",
    "RooflineGaussian",
    "RooflineRidge",
    "competitors",
    "model_state",
    "restore_model",
]
