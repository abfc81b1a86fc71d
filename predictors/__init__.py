"""This package fits a predictor of the latency, with bounds, to a table of measurements."""

from predictors.features import Feature, FeatureSchema
from predictors.fitting import fit_log
from predictors.predictor import Predictor
from predictors.preparation import fit_problems
from predictors.refitting import refitted
from predictors.report import Coverage, FitReport
from predictors.scores import ModelScore
from predictors.storage import PredictorFileError
from predictors.table import TableError, read_table

__all__ = [
    "Coverage",
    "Feature",
    "FeatureSchema",
    "FitReport",
    "ModelScore",
    "Predictor",
    "PredictorFileError",
    "TableError",
    "fit_log",
    "fit_problems",
    "read_table",
    "refitted",
]
