"""This module finds the weights of an ONNX graph that lie in other files than the graph's own."""

from __future__ import annotations

import os
from typing import Dict, Iterator, List, Tuple

from profilers.workers.program.tensorrt.protobuf import parts

# The fields of onnx.proto that contain tensors: for each kind of message, the kind of each field.
LEADS_TO: Dict[str, Dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {
        **{5: "tensor", 6: "graph", 10: "tensor", 11: "graph"},
        **{22: "sparse tensor", 23: "sparse tensor"},
    },
    "sparse tensor": {1: "tensor", 2: "tensor"},
}
EXTERNAL_DATA = 13  # a tensor's pairs of a key (field 1) and a value (field 2)


def external_weights(path: str, graph: bytes) -> Tuple[List[str], int]:
    """Return the files that hold weights of a graph, and the end of its last tensor in them.

    The end is 0 when a tensor does not say where it ends. Files that are missing are left out.

    Args:
        path: The graph's file.
        graph: The content of that file.

    Raises:
        ValueError: The content is not an ONNX graph.
    """
    try:
        tensors = list(external_tensors(memoryview(graph), "model"))
    except ValueError as error:
        raise ValueError("%s is not an ONNX graph: %s" % (os.path.basename(path), error)) from None
    folder = os.path.dirname(os.path.abspath(path))
    paths = [os.path.join(folder, name) for name in sorted({x["location"] for x in tensors})]
    files = [path for path in paths if os.path.isfile(path)]
    if not all("offset" in tensor and "length" in tensor for tensor in tensors):
        return files, 0
    return files, max([int(x["offset"]) + int(x["length"]) for x in tensors], default=0)


def external_tensors(message: memoryview, kind: str) -> Iterator[Dict[str, str]]:
    """Yield the place of each external tensor in a message: "location", "offset" and "length"."""
    if kind == "tensor":
        place = dict(pair(content) for number, content in parts(message) if number == EXTERNAL_DATA)
        if "location" in place:
            yield place
        return
    leads_to = LEADS_TO[kind]
    for number, content in parts(message):
        if number in leads_to:
            yield from external_tensors(content, leads_to[number])


def pair(message: memoryview) -> Tuple[str, str]:
    """Return the key and the value of an entry."""
    texts = {number: bytes(text).decode(errors="replace") for number, text in parts(message)}
    return texts.get(1, ""), texts.get(2, "")
