"""Profiling graphs whose matrix products take 8-bit integers."""

import logging
from pathlib import Path

from automoe.export import runtime  # noqa: F401  # telemetry off before onnxruntime is imported
from devices.files import replacing


def quantize_graph(path: Path) -> None:
    """Quantise a saved graph in place: weights to int8 now, activations in every call.

    ONNX Runtime's dynamic quantisation. The weights leave the shared blob, so that the file takes
    a byte per weight.

    Raises:
        FileNotFoundError: The graph or its weights are missing.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic  # takes a second to import

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises a pre-processing that folds nothing here
    try:
        with replacing(path) as quantised:
            quantize_dynamic(
                path,
                quantised,
                op_types_to_quantize=["MatMul"],  # it turns every Gemm into one first
                weight_type=QuantType.QInt8,
                extra_options={"MatMulConstBOnly": True},
            )
    finally:
        root.setLevel(level)
