"""ONNX Runtime in this process, for correctness; timings are taken in a child process."""

import os
from pathlib import Path
from typing import Any

# Must be set before the import: the wheels report usage over the network otherwise.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime


def open_session(path: Path, *, threads: int = 1) -> Any:
    """A CPU session for a graph, with an explicit number of threads.

    A graph with QuantizeLinear is computed as it is written: the integer kernels that ONNX Runtime
    puts in its place overflow on some processors, and round biases, as TensorRT does not.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
