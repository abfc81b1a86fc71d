"""This module checks the graphs of a bundle before ONNX Runtime reads them.

Checksums find a damaged copy. Whoever alters a graph on purpose writes its new checksum too, so the
graph itself is checked: the versions of its operators, where its weights lie, and how large it says
that they are. The package `onnx` is not at hand, so this module walks over the protobuf messages. A
graph with a field that exported graphs do not have, such as a graph within it, is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

from automoe.deployed.description import WEIGHTS, BundleError, in_one_line, require_plain_file

# The versions of operators in every graph, by their domain; the empty one is that of ONNX.
OPSETS: Mapping[str, int] = {"": 17, "com.microsoft": 1}  # LayerNormalization is new in 17
LARGEST_GRAPH = 16 << 20  # bytes; those of large models have less than 1 MB
_MOST_DIMENSIONS = 8
_MOST_READS = 16  # of the file of weights by one graph; equal weights lie in one place
_N_BYTES = {1: 4, 2: 1, 3: 1, 6: 4, 7: 8, 10: 2}  # of an element, by TensorProto.DataType
# The fields of each message that exported graphs have, by their numbers in onnx.proto3.
_MODEL = {1: "ir_version", 2: "producer_name", 7: "graph", 8: "opset_import"}
_OPSET = {1: "domain", 2: "version"}
_GRAPH = {1: "node", 2: "name", 5: "initializer", 11: "input", 12: "output"}
_NODE = {1: "input", 2: "output", 4: "op_type", 5: "attribute", 7: "domain"}
_ATTRIBUTE = {1: "name", 2: "f", 3: "i", 4: "s", 7: "floats", 8: "ints", 20: "type"}
_TENSOR = {
    **{1: "dims", 2: "data_type", 4: "float_data", 5: "int32_data", 7: "int64_data", 8: "name"},
    **{9: "raw_data", 13: "external_data", 14: "data_location"},
}
_ENTRY = {1: "key", 2: "value"}
_VARINT, _SIZED, _FIXED = 0, 2, 5  # how a field is written
_FLOATS = ("f", "floats", "float_data")


def check_graph(path: Path) -> None:
    """Check that a graph is as exported graphs are, and that its weights lie in the file beside it.

    What its operators compute is not judged.

    Raises:
        BundleError: It is not.
    """
    n_bytes = require_plain_file(path.with_name(WEIGHTS))
    try:
        if require_plain_file(path) > LARGEST_GRAPH:
            raise ValueError(f"a graph must have at most {LARGEST_GRAPH} bytes")
        _check_model(memoryview(path.read_bytes()), n_bytes)
    except BundleError:
        raise
    except (LookupError, TypeError, ValueError) as error:
        raise BundleError(
            f"'{path}' is not as automoe exports graphs ({in_one_line(str(error)):.200}). Export "
            "the model again."
        ) from None


def _check_model(model: Any, n_bytes: int) -> None:
    domains, has_graph = set(), False
    for name, value in _fields(model, _MODEL):
        if name == "opset_import":
            opset = dict(_fields(value, _OPSET))
            domain = _known_domain(_text(opset.get("domain", b"")))
            if opset.get("version") != OPSETS[domain]:
                raise ValueError(
                    f"operators of '{domain}' must have version {OPSETS[domain]}. "
                    f"Got {opset.get('version')}"
                )
            domains.add(domain)
        elif name == "graph":
            if has_graph:  # protobuf would join them
                raise ValueError("there are several graphs")
            has_graph = True
            _check_parts(value, n_bytes)
    if "" not in domains:  # the runtime would take its newest
        raise ValueError("the version of operators is missing")


def _check_parts(graph: Any, n_bytes: int) -> None:
    n_read = 0
    for name, value in _fields(graph, _GRAPH):
        if name == "node":
            for part, content in _fields(value, _NODE):
                if part == "domain":
                    _known_domain(_text(content))
                elif part == "attribute":
                    list(_fields(content, _ATTRIBUTE))
        elif name == "initializer":
            n_read += _check_tensor(value, n_bytes)
    if n_read > _MOST_READS * n_bytes:
        raise ValueError(f"weights must read '{WEIGHTS}' at most {_MOST_READS} times")


def _known_domain(domain: str) -> str:
    if domain not in OPSETS:
        raise ValueError(f"operators must be of ONNX or com.microsoft. Got {domain!r:.60}")
    return domain


def _check_tensor(tensor: Any, n_bytes: int) -> int:
    """Check the size of a tensor, in the graph or in the file of weights of ``n_bytes`` bytes.

    Return the number of bytes that it reads from the file.
    """
    dims, entries, last = [], [], {}
    for name, value in _fields(tensor, _TENSOR):
        if name == "dims":
            dims += [value] if isinstance(value, int) else list(_varints(value))
        elif name == "external_data":
            entries.append(dict(_fields(value, _ENTRY)))
        last[name] = value
    title = _text(last.get("name", b""))
    if len(dims) > _MOST_DIMENSIONS:
        raise ValueError(f"{title!r:.60} must have at most {_MOST_DIMENSIONS} dimensions")
    n_elements, width = prod(dims), _N_BYTES[last["data_type"]]
    if last.get("data_location", 0) == 0:
        if n_elements > len(tensor):  # each takes a byte at least
            raise ValueError(f"{title!r:.60} must hold its {n_elements} elements")
        return 0
    place = {_text(x["key"]): _text(x["value"]) for x in entries}
    if len(place) < len(entries) or place.keys() != {"location", "offset", "length"}:
        raise ValueError(f"{title!r:.60} must say its location, offset and length once")
    if place["location"] != WEIGHTS:
        raise ValueError(f"{title!r:.60} must lie in '{WEIGHTS}'. Got {place['location']!r:.60}")
    offset, length = _number(place["offset"]), _number(place["length"])
    if length != n_elements * width:
        raise ValueError(f"{title!r:.60} must have {n_elements * width} bytes. Got {length}")
    if offset + length > n_bytes:
        raise ValueError(
            f"{title!r:.60} must end within the {n_bytes} bytes of '{WEIGHTS}'. "
            f"Got {offset + length}"
        )
    return length


def _fields(message: Any, names: Mapping[int, str]) -> Iterator[tuple[str, Any]]:
    """Yield the name and value of each field: an integer, or the bytes of anything else."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        if key >> 3 not in names:
            raise ValueError(f"field {key >> 3} is not one of {', '.join(names.values())}")
        size = 0
        if key & 7 == _VARINT:
            value, place = _varint(message, place)
        else:
            if key & 7 == _SIZED:
                size, place = _varint(message, place)
            elif key & 7 == _FIXED and names[key >> 3] in _FLOATS:
                size = 4
            else:  # protobuf passes over a field that is written in another way
                raise ValueError(f"field {names[key >> 3]} is written in another way")
            value = message[place : place + size]
            if len(value) < size:
                raise ValueError("it ends too early")
            place += size
        yield names[key >> 3], value


def _varints(packed: Any) -> Iterator[int]:
    place = 0
    while place < len(packed):
        value, place = _varint(packed, place)
        yield value


def _varint(message: Any, place: int) -> tuple[int, int]:
    """Return the integer of 64 bits that begins at a place, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value % 2**64, place
    raise ValueError("an integer is too long")


def _text(value: Any) -> str:
    return str(value, "utf-8")  # which takes no number


def _number(text: str) -> int:
    """Return a number of bytes.

    Raises:
        ValueError: It is negative or no number.
    """
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"offset and length must be numbers from 0. Got {text!r:.60}")
    return int(text)
