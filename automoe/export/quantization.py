"""This module quantises graphs for measuring, so that products multiply 8-bit integers."""

import logging
from pathlib import Path

from automoe.export import runtime  # noqa: F401  # switches telemetry off before the import below
from devices.files import replacing


def quantize_graph(path: Path) -> None:
    """Quantise a saved graph in place, with ONNX Runtime's dynamic quantisation.

    Weights become int8 now, and activations in every call. The weights are stored in the graph's
    file, one byte each, instead of in the shared blob.

    Raises:
        FileNotFoundError: The graph or its weights are missing.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic  # takes a second to import

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it warns that a pre-processing was left out; that has no effect
    try:
        with replacing(path) as quantised:
            quantize_dynamic(
                path,
                quantised,
                op_types_to_quantize=["MatMul"],  # every Gemm becomes a MatMul first
                weight_type=QuantType.QInt8,
                extra_options={"MatMulConstBOnly": True},
            )
    finally:
        root.setLevel(level)
