"""This package trains supernets and the final models of single architectures."""

from automoe.export import ONNX
from automoe.settings.training import SettingsError, TrainingSettings
from automoe.training.checkpoint import CheckpointError, Record, updates_done
from automoe.training.data import TrainingData, vocabulary_for
from automoe.training.divergence import DivergedError
from automoe.training.finetuning import finetune
from automoe.training.loss import validation_loss
from automoe.training.subnets import SubnetsOfUpdate, full_shape, sampled, sandwich, uniform
from automoe.training.supernet_run import remembered_corpus, train_supernet
from automoe.training.trainer import TrainingResult, train

__all__ = [
    "ONNX",
    "CheckpointError",
    "DivergedError",
    "Record",
    "SettingsError",
    "SubnetsOfUpdate",
    "TrainingData",
    "TrainingResult",
    "TrainingSettings",
    "finetune",
    "full_shape",
    "remembered_corpus",
    "sampled",
    "sandwich",
    "train",
    "train_supernet",
    "uniform",
    "updates_done",
    "validation_loss",
    "vocabulary_for",
]
