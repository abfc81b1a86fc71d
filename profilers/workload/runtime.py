"""This module opens ONNX Runtime sessions that answer questions about a graph."""

import os
from typing import Any

from onnx import ModelProto


def opened_session(model: ModelProto, *, optimises: bool) -> Any:
    """Return an ONNX Runtime session of a model, on the processor and with one thread.

    Args:
        model: The model, without weights in other files.
        optimises: Whether constant values are computed, so that more shapes are known.

    Raises:
        Exception: ONNX Runtime does not load it. Each kind of refusal has its own private class.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # must be set before the import
    import onnxruntime

    levels = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # a refusal is an exception too
    options.intra_op_num_threads = 1
    options.graph_optimization_level = (
        levels.ORT_ENABLE_BASIC if optimises else levels.ORT_DISABLE_ALL
    )
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
