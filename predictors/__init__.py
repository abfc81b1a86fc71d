"""This package fits a predictor of the latency, with bounds, to a table of measurements."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from predictors.features import Feature, FeatureSchema
from predictors.predictor import Predictor
from predictors.report import Coverage, FitReport
from predictors.scores import ModelScore
from predictors.storage import PredictorFileError
from predictors.table import TableError, read_table

if TYPE_CHECKING:
    from predictors.fitting import fit_log
    from predictors.preparation import fit_problems, trial_of_fit
    from predictors.refitting import refitted

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
    "trial_of_fit",
]

# A fit imports scikit-learn, which takes longer than a prediction.
_MODULES_OF_FITS = {
    "fit_log": "predictors.fitting",
    "fit_problems": "predictors.preparation",
    "refitted": "predictors.refitting",
    "trial_of_fit": "predictors.preparation",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES_OF_FITS:
        raise AttributeError(f"module 'predictors' has no attribute '{name}'")
    return getattr(import_module(_MODULES_OF_FITS[name]), name)
