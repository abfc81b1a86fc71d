"""This module runs one node in a process of its own, because a kernel may end its process.

ONNX Runtime does not check all shapes before it computes: a ReverseSequence of a vector aborts.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto

from profilers.costs.values import UnknownCostError
from profilers.workload.runtime import opened_session

_SECONDS = 60.0

# The name of an input, with its NumPy type, its shape, and its elements: all, or one for all.
Feeds = Mapping[str, tuple[str, Sequence[int], Sequence[float]]]


def tried(model: ModelProto, feeds: Feeds) -> dict[str, Any]:
    """Run a model, and return the types and shapes of its outputs, or the words of the refusal.

    Returns:
        "outputs" with pairs of a NumPy type and a shape, or "error" with a text.

    Raises:
        UnknownCostError: The process ended by itself, or did not end in time.
    """
    task = json.dumps({"model": model.SerializeToString().hex(), "feeds": feeds})
    argv = [sys.executable, "-P", "-m", "profilers.costs.trial"]
    try:
        run = subprocess.run(
            argv, input=task.encode(), capture_output=True, timeout=_SECONDS, check=True
        )
        return dict(json.loads(run.stdout))
    except (OSError, subprocess.SubprocessError, ValueError):
        raise UnknownCostError("ONNX Runtime gives no answer") from None


def _answer(task: Mapping[str, Any]) -> dict[str, Any]:
    model = ModelProto.FromString(bytes.fromhex(task["model"]))
    try:
        session = opened_session(model, optimises=False)
        feeds = {name: _array(*feed) for name, feed in task["feeds"].items()}
        outputs = session.run(None, feeds)
    except Exception as error:  # each kind of failure has its own private class
        return {"error": str(error)}
    return {"outputs": [(str(np.asarray(x).dtype), np.shape(x)) for x in outputs]}


def _array(dtype: str, shape: Sequence[int], elements: Sequence[float]) -> Any:
    """Return an array. Memory of zeros is not really used before somebody writes to it."""
    if len(elements) != 1:
        return np.asarray(elements, dtype).reshape(shape)
    return np.full(shape, elements[0], dtype) if elements[0] else np.zeros(shape, dtype)


if __name__ == "__main__":
    print(json.dumps(_answer(json.load(sys.stdin))))
