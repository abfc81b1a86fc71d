"""Models of latency that compete for a log; each is a scikit-learn regressor."""

from predictors.models.base import LatencyModel
from predictors.models.competitors import competitors, model_state, restore_model
from predictors.models.gaussian import GaussianProcess
from predictors.models.linear import LogRidge, Ridge
from predictors.models.mlp import HatMlp
from predictors.models.roofline import FlopsLine, Roofline, RooflineBoost

__all__ = [
    "FlopsLine",
    "GaussianProcess",
    "HatMlp",
    "LatencyModel",
    "LogRidge",
    "Ridge",
    "Roofline",
    "RooflineBoost",
    "competitors",
    "model_state",
    "restore_model",
]
