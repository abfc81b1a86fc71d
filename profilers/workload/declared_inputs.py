"""This module reads the inputs that a graph declares, and gives each of them a shape."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from profilers.workload.fields import WorkloadError
from profilers.workload.symbols import size_of_expression
from profilers.workload.workload import DTYPES

if TYPE_CHECKING:  # onnx is slow to import and only needed once a file is opened
    from onnx import GraphProto, TensorShapeProto, ValueInfoProto

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]


_KINDS = {
    None: "no type",
    "sequence_type": "a sequence",
    "optional_type": "an optional value",
    "map_type": "a map",
    "sparse_tensor_type": "a sparse tensor",
}


@dataclass(frozen=True, slots=True)
class DeclaredInput:
    """One input of a graph.

    Attributes:
        name: Its name.
        elem_type: ONNX's number of its element type.
        dims: Its dimensions: a size, a symbol, or "" for an open one without a name. A negative
            size is an open one. None when the graph declares no shape.
    """

    name: str
    elem_type: int
    dims: tuple[int | str, ...] | None

    @property
    def dtype(self) -> str:
        """The NumPy name of its type, one of `DTYPES`; empty when no runtime can be fed it."""
        from onnx import helper

        name = str(helper.tensor_dtype_to_np_dtype(self.elem_type))
        return name if name in DTYPES else ""

    def require_feedable(self) -> None:
        """Check that values of this type can be given to a runtime.

        Raises:
            WorkloadError: They cannot.
        """
        from onnx import TensorProto

        if not self.dtype:
            raise WorkloadError(
                f"Input {self.name!r} must be a tensor of {', '.join(DTYPES)} to be fed. Got "
                f"{TensorProto.DataType.Name(self.elem_type)}. Add a Cast behind an input of "
                f"another type."
            )


def declared_inputs(graph: "GraphProto") -> tuple[DeclaredInput, ...]:
    """Return the inputs of a graph that a caller must feed.

    Raises:
        WorkloadError: An input is not a tensor, or has no element type.
    """
    weights = {weight.name for weight in graph.initializer}
    return tuple(
        DeclaredInput(value.name, _elem_type(value), _dims(value))
        for value in graph.input
        if value.name not in weights
    )


def _elem_type(value: "ValueInfoProto") -> int:
    from onnx import TensorProto

    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        raise WorkloadError(
            f"Input {value.name!r} must be a tensor. Got {_KINDS.get(kind, 'another type')}. Cut "
            f"the graph behind it, or write it so that it takes tensors."
        )
    number = int(value.type.tensor_type.elem_type)
    if not number or number not in TensorProto.DataType.values():
        raise WorkloadError(
            f"Input {value.name!r} must have an element type that ONNX knows. Got {number}. "
            f"Export the model again."
        )
    return number


def _dims(value: "ValueInfoProto") -> tuple[int | str, ...] | None:
    tensor = value.type.tensor_type
    return tuple(map(_dim, tensor.shape.dim)) if tensor.HasField("shape") else None


def _dim(dim: "TensorShapeProto.Dimension") -> int | str:
    if dim.WhichOneof("value") != "dim_value":
        return dim.dim_param
    return dim.dim_value if dim.dim_value >= 0 else ""


@dataclass(frozen=True, slots=True)
class InputShapes:
    """The shapes of all inputs of a graph.

    Attributes:
        shapes: The shape of each input, by name, in the graph's order.
        notes: Sentences for the user about what is odd in the declarations.
    """

    shapes: Shapes
    notes: tuple[str, ...]


def shapes_of_inputs(
    inputs: Iterable[DeclaredInput], *, dims: Mapping[str, int], shapes: Shapes, path: Path
) -> InputShapes:
    """Return the shape of each input. A dimension whose size nobody gives has the size 1.

    A symbol that is an expression of others, such as `past_sequence_length + 1` of a decoder with a
    cache, has the size that it tells, unless a size is given for it.

    A symbol that gets several sizes from `shapes` is no symbol: runtimes take each size where it
    was given. A declared size of 0 may mean an unknown size, so `shapes` may give another one.

    Args:
        inputs: The inputs of the graph.
        dims: The sizes of symbols.
        shapes: Whole shapes, by the input's name.
        path: The file, for messages.

    Raises:
        WorkloadError: A name is unknown, or a shape contradicts the graph or `dims`.
    """
    by_name = {each.name: each for each in inputs}
    _require_symbols(dims, by_name.values(), path)
    sizes: dict[str, dict[int, None]] = {name: {size: None} for name, size in dims.items()}
    for name, shape in shapes.items():
        if name not in by_name:
            known = ", ".join(by_name) or "none"
            raise WorkloadError(f"Unknown input {name!r}. Inputs of {path}: {known}.")
        for symbol, size in _matched(by_name[name], shape):
            if symbol in dims and dims[symbol] != size:
                raise WorkloadError(
                    f"Dimension {symbol!r} of input {name!r} must be {dims[symbol]}. Got {size}."
                )
            sizes.setdefault(symbol, {})[size] = None
    notes = [
        f"The symbol {symbol!r} stands for several sizes: {', '.join(map(str, several))}."
        for symbol, several in sizes.items()
        if len(several) > 1
    ]
    single = {symbol: size for symbol, (size, *more) in sizes.items() if not more}
    for symbol in {x for each in by_name.values() for x in each.dims or () if isinstance(x, str)}:
        if symbol not in sizes and (told := size_of_expression(symbol, single)) is not None:
            sizes[symbol] = {told: None}
    whole: dict[str, Shape] = {}
    for name, each in by_name.items():
        whole[name] = shapes[name] if name in shapes else _filled(each, sizes)
        zeros = each.dims is not None and 0 in each.dims
        if zeros and 0 in whole[name]:
            notes.append(
                f"Input {name!r} is empty, because it declares a size of 0. Where that means an "
                f"unknown size, 'cost' takes --input-shape; 'profile' needs a symbol in its place."
            )
    left_open = [each for name, each in by_name.items() if name not in shapes]
    notes += [note for each in left_open if (note := _note_of_open(each, sizes)) is not None]
    return InputShapes(whole, tuple(notes))


def _note_of_open(declared: DeclaredInput, sizes: Mapping[str, object]) -> str | None:
    """Return a sentence about the dimensions whose size nobody gives; None without any.

    A first dimension alone is a batch, of which a user expects one.
    """
    open_axes = [
        axis
        for axis, dim in enumerate(declared.dims or ())
        if isinstance(dim, str) and dim not in sizes
    ]
    if not any(open_axes):
        return None
    dims = declared.dims or ()
    listed = ", ".join(f"'{dims[axis]}'" if dims[axis] else f"axis {axis}" for axis in open_axes)
    example = "x".join(
        f"{dim}" if isinstance(dim, int) else "1" if axis == 0 else "30"
        for axis, dim in enumerate(dims)
    )
    return (
        f"Open sizes of input {declared.name!r} are taken as 1: {listed}. "
        f"--input-shape {declared.name}={example} gives others."
    )


def _require_symbols(dims: Mapping[str, int], inputs: Iterable[DeclaredInput], path: Path) -> None:
    symbols = {dim for each in inputs for dim in each.dims or () if isinstance(dim, str)}
    known = ", ".join(sorted(symbols - {""})) or "none"
    for name, size in dims.items():
        if name not in symbols - {""}:
            raise WorkloadError(f"Unknown dimension {name!r}. Dimensions of {path}: {known}.")
        if size < 0:
            raise WorkloadError(f"Dimension {name!r} must not be negative. Got {size}.")


def _matched(declared: DeclaredInput, shape: Shape) -> Iterable[tuple[str, int]]:
    """Return the symbols of an input with the sizes that a whole shape gives to them."""
    if declared.dims is None:
        return ()
    pairs = list(zip(declared.dims, shape, strict=False))
    is_other = any(isinstance(dim, int) and dim not in (0, size) for dim, size in pairs)
    if is_other or len(declared.dims) != len(shape):
        raise WorkloadError(
            f"Input {declared.name!r} must have the shape {_shown(declared.dims)}. "
            f"Got {_shown(shape)}; correct '--input-shape {declared.name}=...'."
        )
    return [(dim, size) for dim, size in pairs if isinstance(dim, str) and dim]


def _shown(dims: Sequence[int | str]) -> str:
    """Return a shape in words; an open size without a name is `?`."""
    return " x ".join(str(dim or "?") for dim in dims) or "of no dimensions"


def _filled(declared: DeclaredInput, sizes: Mapping[str, Mapping[int, None]]) -> Shape:
    if declared.dims is None:
        raise WorkloadError(
            f"Input {declared.name!r} declares no shape. Give --input-shape {declared.name}=..."
        )
    for dim in declared.dims:
        if isinstance(dim, str) and len(sizes.get(dim, ())) > 1:
            raise WorkloadError(
                f"Input {declared.name!r} needs a shape: its dimension {dim!r} stands for several "
                f"sizes. Give --input-shape {declared.name}=..."
            )
    return tuple(
        dim if isinstance(dim, int) else next(iter(sizes.get(dim, {1: None})))
        for dim in declared.dims
    )
