"""Claim: FLOPs are exact for as many graphs as with any library, and no shape is wrong.

ONNX Runtime runs every graph without optimisation, and the shapes of all outputs of its nodes are
recorded. Then four ways infer these shapes without a run: that of this toolkit, which asks ONNX and
ONNX Runtime node by node; ONNX's `infer_shapes` with propagation of data; ONNX Runtime's
`SymbolicShapeInference`; and a session of ONNX Runtime that opens and folds the whole graph. All
ways know the sizes of the inputs and the rows of each Split whose sizes depend on data. None reads
weights that are in other files. The benchmark prints, for each graph and way, the share of shapes
that are known and right, the number of wrong ones, the FLOPs of the known shapes as a share of
those of the recorded ones, the seconds of CPU time, and the reason of a failure. It downloads
nothing.

    python benchmarks/bench_shapes.py [--exports] [MODEL.onnx ...]

``--exports`` adds the graphs of a random architecture of every preset in every form and precision.
Symbolic dimensions are 1 for a batch. The others get the first size with which the model runs.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
import onnx.inliner
from numpy.typing import NDArray
from onnx import ModelProto, helper, numpy_helper, shape_inference

from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.export import WorkloadWriter
from profilers.costs.graph import even_rows
from profilers.costs.operator_flops import flops_of
from profilers.costs.shapes import OpenedGraph
from profilers.costs.values import ShapedNode, UnknownCostError, Value
from profilers.workload.subgraphs import MAX_KNOWN_ELEMENTS

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # must be set before the import

import onnxruntime as ort
from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]
_SIZES = (64, 32, 320, 16, 256, 400, 512, 8, 5, 1)  # tried in this order
_FORMS = ((False, "fp32"), (False, "int8"), (True, "fp32"), (True, "fp16"), (True, "int8"))


def main() -> None:
    """Compare the ways for every graph, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--exports", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = [*args.models, *(_exports(Path(folder)) if args.exports else ())]
        results = [result for path in paths for result in _compared(path)]
    _print_sums(results)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of one way for one graph. `flops` and `true_flops` are FLOPs of known nodes."""

    model: str
    way: str
    n_tensors: int
    n_right: int = 0
    n_wrong: int = 0
    flops: int = 0
    true_flops: int = 0
    seconds: float = 0.0
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """A graph whose inputs have sizes, without weights in other files, and its recorded shapes."""

    name: str
    path: Path
    model: ModelProto
    observed: Shapes


def _compared(path: Path) -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            case = _case(path, Path(folder) / "sized.onnx")
        except Exception as error:
            print(f"{path.name}: does not run: {str(error).splitlines()[0][:150]}", flush=True)
            return
        for way, infer in _WAYS.items():
            result = _judged(case, way, infer)
            print(_line(result), flush=True)
            yield result


def _judged(case: Case, way: str, infer: Callable[[Path], Shapes]) -> Result:
    shapes: Shapes = {}
    failure = ""
    start = time.process_time()
    try:
        shapes = infer(case.path)
    except Exception as error:
        failure = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:150]}"
    seconds = time.process_time() - start
    known = {name: shapes[name] for name in case.observed if name in shapes}
    n_right = sum(case.observed[name] == shape for name, shape in known.items())
    return Result(
        model=case.name,
        way=way,
        n_tensors=len(case.observed),
        n_right=n_right,
        n_wrong=len(known) - n_right,
        flops=_flops(case, known),
        true_flops=_flops(case, case.observed),
        seconds=seconds,
        failure=failure,
    )


def _flops(case: Case, shapes: Shapes) -> int:
    """Return the FLOPs of all nodes whose shapes are known."""
    graph = case.model.graph
    known = {x.name: Value(x.data_type, tuple(x.dims)) for x in graph.initializer}
    known |= {x.name: Value(1, _declared(x)) for x in graph.input if x.name not in known}
    known |= {name: Value(1, shape) for name, shape in shapes.items()}
    total = 0
    for node in graph.node:
        inputs = tuple(known.get(name, Value(0, None)) if name else None for name in node.input)
        outputs = tuple(known.get(name, Value(0, None)) for name in node.output)
        try:
            total += flops_of(ShapedNode(node, inputs, outputs))
        except UnknownCostError:
            continue
    return total


def _ours(path: Path) -> Shapes:
    graph = OpenedGraph(path)
    inputs = {
        x.name: Value(x.type.tensor_type.elem_type, _declared(x))
        for x in graph.graph.input
        if x.name not in graph.weights
    }
    return {
        name: value.shape
        for node in graph.shaped_nodes(inputs, even_rows)
        for name, value in zip(node.proto.output, node.outputs, strict=True)
        if value.shape is not None
    }


def _of_onnx(path: Path) -> Shapes:
    model = onnx.load(path, load_external_data=False)
    return _inferred(shape_inference.infer_shapes(model, data_prop=True))


def _symbolic(path: Path) -> Shapes:
    model = onnx.load(path, load_external_data=False)
    here = Path.cwd()
    os.chdir(path.parent)  # when it fails, it writes a file into the working folder
    try:
        return _inferred(SymbolicShapeInference.infer_shapes(model, auto_merge=True))
    finally:
        os.chdir(here)


def _session(path: Path) -> Shapes:
    model = onnx.load(path, load_external_data=False)
    graph = model.graph
    _feed_weights(graph, lambda weight: bool(np.prod(weight.dims) > MAX_KNOWN_ELEMENTS))
    del graph.value_info[:]
    del graph.output[:]
    names = dict.fromkeys(name for node in graph.node for name in node.output if name)
    ranks = {name: f"rank of {name}" for name in names}
    graph.node.extend(helper.make_node("Shape", [x], [rank]) for x, rank in ranks.items())
    graph.output.extend(onnx.ValueInfoProto(name=x) for x in (*ranks, *ranks.values()))
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    known = {x.name: x.shape for x in session.get_outputs()}
    return {
        name: tuple(known[name])
        for name, rank in ranks.items()  # an unknown rank is described like that of a scalar
        if known[rank] == [len(known[name])] and all(isinstance(x, int) for x in known[name])
    }


def _feed_weights(graph: onnx.GraphProto, is_fed: Callable[[onnx.TensorProto], bool]) -> None:
    """Turn some weights into inputs, so that their data is not needed."""
    weights = [weight for weight in graph.initializer if is_fed(weight)]
    kept = [weight for weight in graph.initializer if not is_fed(weight)]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    declared = {value.name for value in graph.input}
    graph.input.extend(
        helper.make_tensor_value_info(weight.name, weight.data_type, tuple(weight.dims))
        for weight in weights
        if weight.name not in declared
    )


_WAYS: dict[str, Callable[[Path], Shapes]] = {
    "ours": _ours,
    "onnx.shape_inference": _of_onnx,
    "symbolic_shape_infer": _symbolic,
    "session of the graph": _session,
}


def _inferred(model: ModelProto) -> Shapes:
    values = (*model.graph.value_info, *model.graph.output)
    return {x.name: shape for x in values if (shape := _declared(x)) is not None}


def _declared(value: onnx.ValueInfoProto) -> Shape | None:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    known = [dim.dim_value for dim in tensor.shape.dim if dim.HasField("dim_value")]
    is_whole = len(known) == len(tensor.shape.dim) and min(known, default=0) >= 0
    return tuple(known) if is_whole else None


def _case(path: Path, sized: Path) -> Case:
    """Run a model at the first sizes that it takes, and write it with these sizes."""
    model = onnx.load(path)
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    errors = []
    for size in _SIZES:
        feeds = {x.name: _feed(x, size) for x in _inputs(model)}
        try:
            outputs = _run(model, path, feeds)
        except Exception as error:
            errors.append(error)
            if "is not a registered" in str(error) or not any(map(_is_open, _inputs(model))):
                break
            continue
        _write_sized(path, sized, feeds, outputs)
        names = {x for node in model.graph.node for x in node.output}
        observed = {name: outputs[name].shape for name in names if name in outputs}
        name = str(Path(*path.parts[-2:]))
        return Case(name, sized, onnx.load(sized, load_external_data=False), observed)
    raise errors[0]


def _inputs(model: ModelProto) -> list[onnx.ValueInfoProto]:
    weights = {weight.name for weight in model.graph.initializer}
    return [x for x in model.graph.input if x.name not in weights]


def _is_open(value: onnx.ValueInfoProto) -> bool:
    return any(dim.dim_value < 1 for dim in value.type.tensor_type.shape.dim)


def _feed(value: onnx.ValueInfoProto, size: int) -> NDArray[Any]:
    tensor = value.type.tensor_type
    shape = []
    for i, dim in enumerate(tensor.shape.dim):
        is_batch = "batch" in dim.dim_param.lower() or (i == 0 and len(tensor.shape.dim) > 1)
        free = 1 if is_batch and "length" not in dim.dim_param else size
        shape.append(dim.dim_value if dim.dim_value > 0 else free)
    dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    drawn = np.random.default_rng(0).random(shape)
    integral = np.issubdtype(dtype, np.integer)
    if integral and len(shape) <= 1:
        rate = {0: 16000}.get(len(shape), size)  # a rate of samples, or the length of a sentence
        return np.full(shape, rate, dtype)
    return np.asarray(np.ones(shape) if integral else drawn).astype(dtype)


def _run(model: ModelProto, path: Path, feeds: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Run the model and return all outputs of its nodes that are tensors."""
    exposed = ModelProto()
    exposed.CopyFrom(model)
    published = {value.name for value in exposed.graph.output}
    names = [name for node in model.graph.node for name in node.output if name]
    exposed.graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in names if name not in published
    )
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = ort.InferenceSession(
        exposed.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    results = dict(zip(names, session.run(names, dict(feeds)), strict=True))
    return {name: x for name, x in results.items() if isinstance(x, np.ndarray)}


def _write_sized(
    path: Path, sized: Path, feeds: Mapping[str, Any], outputs: Mapping[str, NDArray[Any]]
) -> None:
    """Write the graph with the sizes of its inputs and of its Splits, but no other shape."""
    model = onnx.load(path, load_external_data=False)
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    graph = model.graph
    for value in _inputs(model):
        shape = feeds[value.name].shape
        value.type.CopyFrom(helper.make_tensor_type_proto(value.type.tensor_type.elem_type, shape))
    _feed_weights(graph, lambda x: x.data_location == onnx.TensorProto.EXTERNAL)
    makers = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        if node.op_type == "Split" and len(node.input) > 1 and node.input[1] in makers:
            rows = numpy_helper.from_array(outputs[node.input[1]], f"rows_of_{node.output[0]}")
            graph.initializer.append(rows)
            node.input[1] = rows.name
    onnx.save(model, sized)


def _exports(folder: Path) -> Iterator[Path]:
    presets = files("automoe").joinpath("presets").iterdir()
    for preset in sorted(file.name.removesuffix(".yaml") for file in presets):
        space = SearchSpace.preset(preset, max_experts=4, fractional=True)
        architecture = space.sample(Random(3))
        for tensorrt, precision in _FORMS:
            sentence = replace(TranslationWorkload.of(space), precision=precision)
            form = f"{preset}.{'tensorrt' if tensorrt else 'onnx'}-{precision}."
            WorkloadWriter(folder, sentence, form, tensorrt=tensorrt).write(architecture)
        yield from sorted(folder.glob(f"{preset}.*.onnx"))


def _line(result: Result) -> str:
    share = 100 * result.n_right / max(result.n_tensors, 1)
    flops = 100 * result.flops / result.true_flops if result.true_flops else 100.0
    return (
        f"{result.model:60} {result.way:22} {share:5.1f} % of {result.n_tensors} right, "
        f"{result.n_wrong} wrong, {flops:5.1f} % of FLOPs, {result.seconds:.2f} s {result.failure}"
    )


def _print_sums(results: Sequence[Result]) -> None:
    for way in _WAYS:
        mine = [result for result in results if result.way == way]
        n_tensors = sum(x.n_tensors for x in mine)
        print(
            f"{way}: {len(mine)} graphs, {100 * sum(x.n_right for x in mine) / n_tensors:.2f} % of "
            f"{n_tensors} shapes right, {sum(x.n_wrong for x in mine)} wrong; FLOPs exact in "
            f"{sum(x.flops == x.true_flops for x in mine)}; {sum(x.seconds for x in mine):.1f} s; "
            f"{sum(bool(x.failure) for x in mine)} failures"
        )


if __name__ == "__main__":
    main()
