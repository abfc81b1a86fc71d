"""An architecture as ONNX graphs: to deploy with trained weights, to profile with random ones."""

from automoe.export.bundle import Bundle, ExportError, export_model, require_precision
from automoe.export.calibration import calibrate
from automoe.export.parity import Parity, check_parity, random_pair
from automoe.export.profiling import WorkloadWriter

__all__ = [
    "Bundle",
    "ExportError",
    "Parity",
    "WorkloadWriter",
    "calibrate",
    "check_parity",
    "export_model",
    "random_pair",
    "require_precision",
]
