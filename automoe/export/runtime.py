"""ONNX Runtime in this process, for correctness; timings are taken in a child process."""

import os
from pathlib import Path
from typing import Any

# Must be set before the import: the wheels report usage over the network otherwise.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime


def open_session(path: Path, *, threads: int = 1) -> Any:
    """A CPU session for a graph, with an explicit number of threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
