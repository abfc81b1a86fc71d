"""This module looks for the data of a graph's weights, in the graph and in files beside it."""

from math import prod
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from profilers.workload.fields import WorkloadError
from profilers.workload.subgraphs import initialisers

# Types of which each element is stored by itself: not packed, and not in two parts.
_WHOLE_ELEMENTS = frozenset(
    (
        *(TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16),
        *(TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64),
        *(TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64),
        TensorProto.BOOL,
    )
)


def require_sound_weight(weight: TensorProto, path: Path) -> None:
    """Check that a weight has a type, a shape and a place.

    Raises:
        WorkloadError: The message names the weight.
    """
    name = f"{path}: weight '{weight.name}'"
    where = {entry.key: entry.value for entry in weight.external_data}
    if weight.data_location == TensorProto.EXTERNAL and not where.get("location"):
        raise WorkloadError(
            f"{name} lies in another file, but the graph does not say in which. Export the model "
            f"again."
        )
    for key in ("offset", "length"):
        if not where.get(key, "0").isdecimal():
            raise WorkloadError(f"{name} must have a number as {key}. Got {where[key]!r:.40}.")
    if any(size < 0 for size in weight.dims):
        raise WorkloadError(f"{name} must not have a negative size. Got {list(weight.dims)}.")
    if weight.data_type not in TensorProto.DataType.values() or not weight.data_type:
        raise WorkloadError(f"{name} must have an element type. Got {weight.data_type}.")


def missing_weight(model: ModelProto, path: Path) -> str:
    """Return what data is missing, of the first weight without all of its own; empty when none is.

    Args:
        model: The model.
        path: Its file. Other files of weights lie in the same folder.

    Raises:
        WorkloadError: The place of a weight is not valid.
    """
    reasons = (missing_data(weight, path) for weight in initialisers(model.graph))
    return next(filter(None, reasons), "")


def missing_data(weight: TensorProto, path: Path) -> str:
    """Return what data of a weight is missing; empty when none is. See `missing_weight`."""
    if weight.data_location == TensorProto.EXTERNAL:
        return _missing_in_file(weight, path)
    return _missing_in_graph(weight)


def stored_array(weight: TensorProto, path: Path) -> NDArray[Any] | None:
    """Return the elements of a weight, also from a file beside the graph; None without its data.

    Raises:
        WorkloadError: The place of the weight is not valid.
        OSError: The file cannot be read.
    """
    if missing_data(weight, path):
        return None
    whole = weight
    if weight.data_location == TensorProto.EXTERNAL:
        where = {entry.key: entry.value for entry in weight.external_data}
        whole = TensorProto(data_type=weight.data_type, dims=weight.dims)
        with (path.parent / where["location"]).open("rb") as file:
            file.seek(int(where.get("offset", 0)))
            whole.raw_data = file.read(
                int(where.get("length", prod(weight.dims) * _itemsize(weight)))
            )
    try:
        return numpy_helper.to_array(whole)
    except ValueError:  # it has less data than its shape says
        return None


def _missing_in_graph(weight: TensorProto) -> str:
    n_held, n_needed = _elements_held(weight), prod(weight.dims)
    if n_held in (None, n_needed):
        return ""
    return f"weight '{weight.name}' holds {n_held} of {n_needed} elements"


def _elements_held(weight: TensorProto) -> int | None:
    """Return how many elements a weight has data for; None when its type does not tell it."""
    if weight.data_type not in _WHOLE_ELEMENTS:
        return None
    if weight.HasField("raw_data"):
        return len(weight.raw_data) // _itemsize(weight)
    return len(getattr(weight, helper.tensor_dtype_to_field(weight.data_type)))


def _missing_in_file(weight: TensorProto, path: Path) -> str:
    require_sound_weight(weight, path)
    where = {entry.key: entry.value for entry in weight.external_data}
    file = path.parent / where["location"]
    if not lies_beside(file, path):
        return (
            f"weight '{weight.name}' lies outside of the folder of the graph, in "
            f"{where.get('location')!r}"
        )
    if not file.is_file():
        return f"{file.name!r} is missing, which holds weight '{weight.name}'"
    n_given = int(where.get("length", 0))
    is_known = weight.data_type in _WHOLE_ELEMENTS
    n_needed = prod(weight.dims) * _itemsize(weight) if is_known else n_given
    if file.stat().st_size < int(where.get("offset", 0)) + max(n_given, n_needed):
        return f"{file.name!r} is too short, which holds weight '{weight.name}'"
    if n_given and n_given != n_needed:
        return f"weight '{weight.name}' has {n_given} of {n_needed} bytes in {file.name!r}"
    return ""


def lies_beside(file: Path, graph: Path) -> bool:
    """Return whether a file is in the folder of a graph, or in that of the file it is a link to.

    ONNX Runtime opens no weights elsewhere. Caches of models hold links to files in one folder.
    """
    folders = (graph.parent.resolve(), graph.resolve().parent)
    return any(file.resolve().is_relative_to(folder) for folder in folders)


def _itemsize(weight: TensorProto) -> int:
    """Return the bytes of one element, of a type of which each element is stored by itself."""
    return int(helper.tensor_dtype_to_np_dtype(weight.data_type).itemsize)
