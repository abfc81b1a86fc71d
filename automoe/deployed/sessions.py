"""This module opens sessions in this process to translate and to check; workers do the timing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

# It must be set before the import, because the wheels report usage over the network otherwise.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime


def open_session(path: Path, *, threads: int = 1) -> Any:
    """Open a session for a graph on the CPU, with so many threads.

    QuantizeLinear is computed as it is written. ONNX Runtime would replace it by integer kernels,
    which overflow on some processors and round biases, unlike TensorRT.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def tensor(array: Any) -> Any:
    """Return an array as a value that stays in ONNX Runtime's memory."""
    return onnxruntime.OrtValue.ortvalue_from_numpy(array)
