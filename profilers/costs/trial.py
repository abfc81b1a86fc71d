"""This module asks ONNX Runtime in a process of its own, because an answer may end its process.

ONNX Runtime does not check all shapes before it computes: a ReverseSequence of a vector aborts. A
few elements may tell the size of a tensor, and one that is larger than the memory is asked for.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from onnx import ModelProto

from profilers.costs.values import UnknownCostError
from profilers.workload.runtime import opened_session
from profilers.workload.subgraphs import MAX_KNOWN_ELEMENTS

_SECONDS = 60.0
_MOST_BYTES = 4 << 30  # of addresses, and fewer on a machine with little memory
_OWN_BYTES = 1 << 30  # of addresses that ONNX Runtime takes before it runs anything

# The name of an input, with its NumPy type, its shape, and its elements: all, or one for all.
Feeds = Mapping[str, tuple[str, Sequence[int], Sequence[float]]]
# The type of an output as ONNX Runtime names it, and its sizes, where unknown ones are no numbers.
Description = tuple[str, list[Any]]
Descriptions = Mapping[str, Description]


def tried(model: ModelProto, feeds: Feeds) -> dict[str, Any]:
    """Run a model, and return what its outputs are, or the words of the refusal.

    Returns:
        "outputs" with a NumPy type, a shape and the elements of each, or "error" with a text. The
        elements are None when they are many or no numbers.

    Raises:
        UnknownCostError: The process ended by itself, or did not end in time.
    """
    return _asked(model, feeds)


def described(model: ModelProto) -> Descriptions:
    """Return the descriptions of a model's outputs after everything constant was computed.

    Raises:
        UnknownCostError: ONNX Runtime refuses the model, ended by itself, or did not end in time.
    """
    answer = _asked(model, None)
    if "error" in answer:
        raise UnknownCostError("ONNX Runtime gives no answer")
    return {name: (kind, sizes) for name, (kind, sizes) in answer["descriptions"].items()}


def descriptions_of(session: Any) -> Descriptions:
    """Return the descriptions of the outputs of a session."""
    return {output.name: (output.type, list(output.shape)) for output in session.get_outputs()}


def _asked(model: ModelProto, feeds: Feeds | None) -> dict[str, Any]:
    task = json.dumps({"model": model.SerializeToString().hex(), "feeds": feeds})
    argv = [sys.executable, "-P", "-m", "profilers.costs.trial"]
    try:
        run = subprocess.run(
            argv,
            input=task.encode(),
            capture_output=True,
            timeout=_SECONDS,
            check=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # each thread takes addresses
        )
        return dict(json.loads(run.stdout))
    except (OSError, subprocess.SubprocessError, ValueError):
        raise UnknownCostError("ONNX Runtime gives no answer") from None


def _answer(task: Mapping[str, Any]) -> dict[str, Any]:
    model = ModelProto.FromString(bytes.fromhex(task["model"]))
    try:
        if task["feeds"] is None:
            return {"descriptions": descriptions_of(opened_session(model, optimises=True))}
        session = opened_session(model, optimises=False)
        feeds = {name: _array(*feed) for name, feed in task["feeds"].items()}
        outputs = session.run(None, feeds)
    except Exception as error:  # each kind of failure has its own private class
        return {"error": str(error)}
    return {"outputs": [_output(np.asarray(x)) for x in outputs]}


def _output(output: Any) -> tuple[str, Sequence[int], list[float] | None]:
    is_kept = output.size <= MAX_KNOWN_ELEMENTS and output.dtype.kind in "biuf"
    return str(output.dtype), output.shape, output.ravel().tolist() if is_kept else None


def _array(dtype: str, shape: Sequence[int], elements: Sequence[float]) -> Any:
    """Return an array. Memory of zeros is not really used before somebody writes to it."""
    if len(elements) != 1:
        return np.asarray(elements, dtype).reshape(shape)
    return np.full(shape, elements[0], dtype) if elements[0] else np.zeros(shape, dtype)


def _limit_memory() -> None:
    """Make a request for more memory fail, rather than take the memory of other programs.

    Where the system knows no such limit, as Windows and macOS do not, there is none.
    """
    with suppress(ImportError, AttributeError, ValueError, OSError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_AS)
        limit = _most_bytes(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        limit = limit if most == resource.RLIM_INFINITY else min(limit, most)
        resource.setrlimit(resource.RLIMIT_AS, (limit, most))


def _most_bytes(memory: int) -> int:
    """Return the limit on a machine with this many bytes of memory: half of it may be used."""
    return min(_MOST_BYTES, _OWN_BYTES + memory // 2)


if __name__ == "__main__":
    _limit_memory()
    print(json.dumps(_answer(json.load(sys.stdin))))
