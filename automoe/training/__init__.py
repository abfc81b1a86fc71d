"""Training: the supernet, and the model that a search found."""

from automoe.training.checkpoint import CheckpointError, Record
from automoe.training.data import TrainingData, vocabulary_for
from automoe.training.loss import validation_loss
from automoe.training.settings import SettingsError, TrainingSettings
from automoe.training.subnets import SubnetsOfUpdate, full_shape, sandwich, uniform
from automoe.training.trainer import TrainingResult, train

__all__ = [
    "CheckpointError",
    "Record",
    "SettingsError",
    "SubnetsOfUpdate",
    "TrainingData",
    "TrainingResult",
    "TrainingSettings",
    "full_shape",
    "sandwich",
    "train",
    "uniform",
    "validation_loss",
    "vocabulary_for",
]
