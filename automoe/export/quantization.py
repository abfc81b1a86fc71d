"""This module quantises graphs for measuring, so that products multiply 8-bit integers."""

import logging
from collections import Counter
from pathlib import Path

import onnx

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
        _separate_products(path)
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


def _separate_products(path: Path) -> None:
    """Give each product of a saved graph a weight of its own, at the same place of the shared blob.

    Old releases transpose the weight of a Gemm in place, also that of a table of embeddings.
    """
    model = onnx.load(path, load_external_data=False)
    uses = Counter(name for node in model.graph.node for name in node.input)
    weights = {weight.name: weight for weight in model.graph.initializer}
    for index, node in enumerate(model.graph.node):
        name = node.input[1] if node.op_type == "Gemm" else ""
        if name in weights and uses[name] > 1:
            own = model.graph.initializer.add()
            own.CopyFrom(weights[name])
            own.name = node.input[1] = f"{name}.{index}"
    path.write_bytes(model.SerializeToString())
