"""This package writes ONNX graphs, with trained weights to deploy or random ones to measure."""

from automoe.export.bundle import Bundle, ExportError, export_model, require_precision
from automoe.export.calibration import calibrate
from automoe.export.card import ModelFacts
from automoe.export.parity import Parity, check_parity, random_pair
from automoe.export.timed_graphs import WorkloadWriter
from automoe.model_files import ONNX

__all__ = [
    "ONNX",
    "Bundle",
    "ExportError",
    "ModelFacts",
    "Parity",
    "WorkloadWriter",
    "calibrate",
    "check_parity",
    "export_model",
    "random_pair",
    "require_precision",
]
