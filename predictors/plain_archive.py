"""This module reads a skops archive that holds nothing but numbers, text, arrays and containers.

skops itself takes seconds to import, because it lists all estimators of scikit-learn, one of which
imports torch. An archive is a zip file: `schema.json` is a tree of nodes, and each array is a
member in NumPy's format.
"""

import io
import math
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from devices.yaml_json import parse_json

_SCALARS = frozenset({"str", "int", "float", "bool", "NoneType"})


class NotPlainError(ValueError):
    """An archive that holds something else, which only skops can read."""


def read_plain(data: bytes) -> Any:
    """Return the content of an archive that `skops.io.dumps` wrote.

    Raises:
        NotPlainError: The archive holds an object of another type.
        Exception: The data is no archive, or is damaged in any way.
    """
    with opened_archive(data) as archive:
        return _value(parse_json(archive.read("schema.json"), allow_nan=True), archive)


def opened_archive(data: bytes) -> zipfile.ZipFile:
    """Open an archive that takes no more memory than it has bytes, as skops packs nothing.

    Raises:
        ValueError: Its members or the headers of its arrays say more.
        zipfile.BadZipFile: The data is no archive.
    """
    archive = zipfile.ZipFile(io.BytesIO(data))
    members = archive.infolist()
    n_bytes = sum(member.file_size for member in members)
    if n_bytes > len(data):
        raise ValueError(f"it has {len(data)} bytes, and its members say {n_bytes}")
    for member in members:
        if member.filename.endswith(".npy"):
            _require_whole(archive.read(member))
    return archive


def _value(node: Mapping[str, Any], archive: zipfile.ZipFile) -> Any:
    loader, kind, content = node["__loader__"], node["__class__"], node.get("content", ())
    is_builtin = node["__module__"] == "builtins"
    if loader == "JsonNode" and is_builtin and kind in _SCALARS:
        return parse_json(content, allow_nan=True)
    if loader == "DictNode" and is_builtin and kind == "dict" and _has_text_keys(node):
        return {key: _value(each, archive) for key, each in content.items()}
    if loader == "ListNode" and is_builtin and kind == "list":
        return [_value(each, archive) for each in content]
    if loader == "TupleNode" and is_builtin and kind == "tuple":
        return tuple(_value(each, archive) for each in content)
    if loader == "NdArrayNode" and kind == "ndarray" and node.get("type") == "numpy":
        return np.load(io.BytesIO(archive.read(node["file"])), allow_pickle=False)
    raise NotPlainError(f"The archive holds a {node['__module__']}.{kind}.")


def _require_whole(data: bytes) -> None:
    """Check that an array in NumPy's format takes no more memory than the data."""
    file = io.BytesIO(data)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[np.lib.format.read_magic(file)]
    shape, _, dtype = read_header(file)
    n_bytes = math.prod(shape) * dtype.itemsize
    if n_bytes > len(data):
        raise ValueError(f"an array has {len(data)} bytes, and its header says {n_bytes}")


def _has_text_keys(node: Mapping[str, Any]) -> bool:
    return all(
        (key["__loader__"], key["__module__"], key["__class__"]) == ("TypeNode", "builtins", "str")
        for key in node["key_types"]["content"]
    )
