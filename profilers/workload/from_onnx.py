"""This module makes a workload for any ONNX file, from the inputs that its graph declares."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from profilers.workload.fields import WorkloadError
from profilers.workload.workload import DTYPES, Call, TensorSpec, Workload

if TYPE_CHECKING:  # onnx is slow to import and only needed once a file is opened
    from onnx import ModelProto, TensorShapeProto, ValueInfoProto


Shapes = Mapping[str, tuple[int, ...]]


def workload_for_onnx(
    path: Path, *, dims: Mapping[str, int] | None = None, shapes: Shapes | None = None
) -> Workload:
    """Return a workload with one call, named "model", of the graph at `path`.

    The graph's weights are not read. Floating-point inputs are drawn from a normal distribution.
    Integers and booleans are zero, because zero is a valid index into every tensor.

    Args:
        path: The ONNX file. The workload refers to it by its absolute path.
        dims: The sizes of the symbolic dimensions, by name. A missing one has the size 1.
        shapes: Whole shapes, by the input's name. They also give the sizes of their symbolic
            dimensions in other inputs.

    Raises:
        WorkloadError: The file is not ONNX, a name is unknown, a shape contradicts the graph or
            another size, or an input is not a plain tensor of known rank.
        OSError: The file cannot be read.
    """
    graph = load_onnx(path).graph
    weights = {weight.name for weight in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    sizes = dict(dims or {})
    _require_known(sizes, inputs, path)
    given = dict(shapes or {})
    _take_sizes(sizes, given, inputs, path)
    tensors = {
        value.name: _tensor(value, sizes, given.get(value.name), seed)
        for seed, value in enumerate(inputs)
    }
    return Workload({"model": str(path.resolve())}, (Call("model", "model", inputs=tensors),))


def load_onnx(path: Path) -> "ModelProto":
    """Return the model at `path`, without the weights in separate files.

    Raises:
        WorkloadError: The file is not ONNX.
        OSError: The file cannot be read.
    """
    import onnx

    try:
        return onnx.load(path, load_external_data=False)
    except OSError:
        raise
    except Exception as error:  # a DecodeError of protobuf, which has no types to import
        raise WorkloadError(f"{path} is not ONNX: {error}. Export the model as ONNX.") from None


def _require_known(sizes: Mapping[str, int], inputs: "list[ValueInfoProto]", path: Path) -> None:
    symbols = {dim.dim_param for value in inputs for dim in value.type.tensor_type.shape.dim}
    symbols.discard("")
    known = ", ".join(sorted(symbols)) or "none"
    for name, size in sizes.items():
        if name not in symbols:
            raise WorkloadError(f"Unknown dimension {name!r}. Dimensions of {path}: {known}.")
        if size < 0:
            raise WorkloadError(f"Dimension {name!r} must not be negative. Got {size}.")


def _take_sizes(
    sizes: dict[str, int], shapes: Shapes, inputs: "list[ValueInfoProto]", path: Path
) -> None:
    """Check whole shapes against the graph, and add the sizes of their symbolic dimensions."""
    by_name = {value.name: value for value in inputs}
    for name, shape in shapes.items():
        if name not in by_name:
            known = ", ".join(by_name) or "none"
            raise WorkloadError(f"Unknown input {name!r}. Inputs of {path}: {known}.")
        declared = by_name[name].type.tensor_type.shape.dim
        if len(declared) != len(shape):
            raise WorkloadError(
                f"Input {name!r} has {len(declared)} dimensions. Got {len(shape)}: {shape}."
            )
        for dim, size in zip(declared, shape, strict=True):
            fixed = dim.dim_value if dim.WhichOneof("value") == "dim_value" else None
            expected = sizes.get(dim.dim_param, size) if fixed is None else fixed
            if size != expected:
                raise WorkloadError(
                    f"Dimension {dim.dim_param or fixed!r} of input {name!r} must be {expected}. "
                    f"Got {size}."
                )
            if dim.dim_param:
                sizes[dim.dim_param] = size


def _tensor(
    value: "ValueInfoProto", sizes: Mapping[str, int], given: tuple[int, ...] | None, seed: int
) -> TensorSpec:
    dtype = _dtype(value)
    if not value.type.tensor_type.HasField("shape"):
        raise WorkloadError(
            f"Input {value.name!r} must declare its shape. Write its workload by hand or change "
            f"the graph."
        )
    shape = given or tuple(_size(dim, sizes) for dim in value.type.tensor_type.shape.dim)
    if dtype.startswith("float"):
        return TensorSpec(dtype, shape, seed=seed)
    return TensorSpec(dtype, shape, values=(0,))


def _dtype(value: "ValueInfoProto") -> str:
    import onnx

    if value.type.WhichOneof("value") == "tensor_type":
        elem_type = value.type.tensor_type.elem_type
        with contextlib.suppress(KeyError):  # the type is undefined
            name = str(onnx.helper.tensor_dtype_to_np_dtype(elem_type))
            if name in DTYPES:
                return name
    raise WorkloadError(
        f"Input {value.name!r} must be a tensor of {', '.join(DTYPES)}. "
        f"Write its workload by hand or change the graph."
    )


def _size(dim: "TensorShapeProto.Dimension", sizes: Mapping[str, int]) -> int:
    if dim.WhichOneof("value") == "dim_value":
        return dim.dim_value
    return sizes.get(dim.dim_param, 1)
