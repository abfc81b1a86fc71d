"""This module makes a workload for any ONNX file, from the inputs that its graph declares."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from profilers.workload.declared_inputs import (
    DeclaredInput,
    Shapes,
    declared_inputs,
    shapes_of_inputs,
)
from profilers.workload.fields import WorkloadError
from profilers.workload.given_values import GivenValues, given_tensor
from profilers.workload.input_values import ChosenValues, ValueChooser, sentence_about
from profilers.workload.workload import Call, TensorSpec, Workload

if TYPE_CHECKING:  # onnx is slow to import and only needed once a file is opened
    from onnx import ModelProto

_LFS = b"version https://git-lfs"  # how a file begins that stands for a large one in Git
NO_VALUES: Mapping[str, GivenValues] = {}


@dataclass(frozen=True, slots=True)
class OnnxWorkload:
    """The workload of an ONNX file, and what was decided about its inputs.

    Attributes:
        workload: One call, named "model", with every input that a runtime can be fed.
        inputs: The inputs that the graph declares.
        shapes: The shape of each of them, by name.
        chosen: The values that were chosen, mostly for integer and boolean inputs, by name.
        given: The values that the user gave, by name.
        notes: Sentences for the user about what is odd in the declarations.
        model: The graph itself, as `load_sound_onnx` returned it.
    """

    workload: Workload
    inputs: tuple[DeclaredInput, ...]
    shapes: Shapes
    chosen: Mapping[str, ChosenValues]
    given: Mapping[str, GivenValues]
    notes: tuple[str, ...]
    model: "ModelProto"

    @property
    def sentences(self) -> tuple[str, ...]:
        """The sentences that tell a user what was chosen, one line each."""
        return (*self.notes, *filter(None, [sentence_about(self.chosen)]))


def workload_for_onnx(
    path: Path,
    *,
    dims: Mapping[str, int] | None = None,
    shapes: Shapes | None = None,
    values: Mapping[str, GivenValues] = NO_VALUES,
) -> Workload:
    """Return a workload with one call, named "model", of the graph at `path`.

    See `open_onnx_workload`. An input of a type that no runtime can be fed is refused.
    """
    opened = open_onnx_workload(path, dims=dims, shapes=shapes, values=values)
    for each in opened.inputs:
        each.require_feedable()
    return opened.workload


def open_onnx_workload(
    path: Path,
    *,
    dims: Mapping[str, int] | None = None,
    shapes: Shapes | None = None,
    values: Mapping[str, GivenValues] = NO_VALUES,
    model: "ModelProto | None" = None,
) -> OnnxWorkload:
    """Return the workload of the graph at `path`, with what was decided about its inputs.

    The graph's weights are not read. Integers, booleans and what decides a shape are chosen by
    `ValueChooser`. Other floating-point inputs are drawn from a normal distribution.

    Args:
        path: The ONNX file. The workload refers to it by its absolute path.
        dims: The sizes of the symbolic dimensions, by name. A missing one has the size 1.
        shapes: Whole shapes, by the input's name. They also give the sizes of their symbolic
            dimensions in other inputs.
        values: The values of inputs, by name.
        model: What `load_sound_onnx` returned for the file; None opens it.

    Raises:
        WorkloadError: The file is not a sound ONNX graph, a name is unknown, a shape or a value
            does not suit the graph, or an input is not a plain tensor of a known shape.
        OSError: The file cannot be read.
    """
    model = model or load_sound_onnx(path)
    inputs = declared_inputs(model.graph)
    by_name = {each.name: each for each in inputs}
    for name in values:
        if name not in by_name:
            known = ", ".join(by_name) or "none"
            raise WorkloadError(f"Unknown input {name!r}. Inputs of {path}: {known}.")
    implied = {
        name: shape
        for name, given in values.items()
        if (shape := given.implied_shape(by_name[name])) is not None
    }
    sized = shapes_of_inputs(
        inputs, dims=dims or {}, shapes={**implied, **(shapes or {})}, path=path
    )
    chooser = ValueChooser(model.graph, inputs, sized.shapes)
    tensors: dict[str, TensorSpec] = {}
    chosen: dict[str, ChosenValues] = {}
    for seed, each in enumerate(inputs):
        shape = sized.shapes[each.name]
        if each.name in values:
            each.require_feedable()
            tensors[each.name] = given_tensor(each, shape, values[each.name])
        elif each.dtype and (choice := chooser.choose(each)) is not None:
            chosen[each.name] = choice
            tensors[each.name] = TensorSpec(each.dtype, shape, values=choice.values)
        elif each.dtype:
            tensors[each.name] = TensorSpec(each.dtype, shape, seed=seed)
    call = Call("model", "model", inputs=tensors)
    # The weights of a link are beside it, under the names that the graph tells.
    workload = Workload({"model": str(path.absolute())}, (call,))
    notes = (*sized.notes, *_version_notes(model))
    return OnnxWorkload(workload, inputs, sized.shapes, chosen, values, notes, model)


def _version_notes(model: "ModelProto") -> tuple[str, ...]:
    """Return a sentence about a graph that is newer than what is installed here."""
    from onnx import IR_VERSION, defs

    opset = max((x.version for x in model.opset_import if not x.domain), default=0)
    newest = defs.onnx_opset_version()
    if model.ir_version <= IR_VERSION and opset <= newest:
        return ()
    return (
        f"The graph has IR version {model.ir_version} and opset {opset}, newer than {IR_VERSION} "
        f"and {newest} of the ONNX that is installed: its operators are counted as those of opset "
        f"{min(opset, newest)}, and ONNX Runtime may not load it.",
    )


def require_measurable(opened: OnnxWorkload, path: Path) -> None:
    """Check what only matters when a graph is run: its weights are there, its inputs can be fed.

    Raises:
        WorkloadError: There is no output, a weight has no data, or an input has a type that no
            runtime can be fed or another size than a declared 0.
    """
    from profilers.workload.soundness import require_outputs, require_weights

    require_outputs(opened.model, path)
    for each in opened.inputs:
        each.require_feedable()
        pairs = zip(each.dims or (), opened.shapes[each.name], strict=False)
        for axis, (dim, size) in enumerate(pairs):
            if dim == 0 != size:
                raise WorkloadError(
                    f"Input {each.name!r} declares the size 0 at axis {axis}, and a runtime takes "
                    f"no other. Got {size}. Where 0 means an unknown size, declare a symbol there."
                )
    require_weights(opened.model, path)


def load_sound_onnx(path: Path) -> "ModelProto":
    """Return the model at `path`, see `load_onnx`, after a check that it can be run at all.

    Raises:
        WorkloadError: The file is not a sound ONNX graph, or an input is not a plain tensor.
        OSError: The file cannot be read.
    """
    from profilers.workload.soundness import require_sound  # onnx is slow to import

    model = load_onnx(path)
    declared_inputs(model.graph)  # an input of another kind is said in words of ours
    require_sound(model, path)
    return model


def load_onnx(path: Path, *, inlines: bool = True) -> "ModelProto":
    """Return the model at `path`, without the weights in separate files.

    Its nodes are put in order where they are not, as runtimes do. Values of branches and loops get
    names of their own. The domain `ai.onnx` becomes "", which means the same.

    Args:
        path: The ONNX file.
        inlines: Whether the nodes of the model's functions take the places of the calls.

    Raises:
        WorkloadError: The file is not ONNX, its graph has no nodes, or a function is not valid.
        OSError: The file cannot be read.
    """
    import onnx

    from profilers.workload.subgraphs import make_names_unique, shorten_domains, sort_nodes

    try:
        model = onnx.load(path, load_external_data=False)
    except OSError:
        raise
    except Exception:  # a DecodeError of protobuf, which has no types to import
        raise WorkloadError(_why_unreadable(path)) from None
    if not model.graph.node:
        raise WorkloadError(
            f"{path} has no nodes: there is nothing to count or to measure. Export the model again."
        )
    shorten_domains(model)
    sort_nodes(model.graph)
    if inlines and model.functions:
        try:
            model = _inlined(model)
        except Exception as error:  # onnx's, which has no types to import
            raise WorkloadError(f"{path}: its functions are not valid: {_line(error)}.") from None
    make_names_unique(model.graph)
    return model


def _why_unreadable(path: Path) -> str:
    with path.open("rb") as file:
        is_pointer = file.read(len(_LFS)) == _LFS
    if is_pointer:
        return f"{path} is a pointer of Git LFS, not the model. Fetch the model with git lfs pull."
    return (
        f"{path} is not ONNX: it has another format, or a part of it is missing. Export the model "
        f"as ONNX, or copy it again."
    )


def _inlined(model: "ModelProto") -> "ModelProto":
    """Return the model with the nodes of its functions in place of the calls.

    A function may use another version of the operators than the graph. To convert it, ONNX needs
    the types of what the function takes; where that fails, the call stays.
    """
    from onnx import helper, shape_inference
    from onnx.inliner import inline_local_functions

    plain = inline_local_functions(model)
    if not plain.functions:
        return plain
    try:
        typed = shape_inference.infer_shapes(model)
        typed.graph.value_info.extend(
            helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims)
            for weight in typed.graph.initializer
        )
        return inline_local_functions(typed, convert_version=True)
    except Exception:  # of onnx, and of protobuf when the model is too large
        return plain


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
