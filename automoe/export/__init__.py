"""An architecture as ONNX graphs: to deploy with trained weights, to profile with random ones."""

from automoe.export.bundle import Bundle, ExportError, export_model, require_precision
from automoe.export.parity import Parity, check_parity
from automoe.export.profiling import WorkloadWriter

__all__ = [
    "Bundle",
    "ExportError",
    "Parity",
    "WorkloadWriter",
    "check_parity",
    "export_model",
    "require_precision",
]
