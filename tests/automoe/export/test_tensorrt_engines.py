"""Workloads for TensorRT: what the worker makes of them, and engines that are really built."""

import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
import pytest
from support.imitated_tensorrt import VERSIONS, ImitatedCuda, imitated_tensorrt

from automoe.architecture.architecture import Architecture
from automoe.architecture.routing_pattern import RoutingPattern
from automoe.architecture.space import SearchSpace
from automoe.architecture.space_files import PRESETS
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.deployed.sessions import open_session
from automoe.export import Bundle, WorkloadWriter, calibrate, export_model, random_pair
from automoe.export.replay import run_named
from automoe.export.tensorrt_profiles import PROFILES
from automoe.supernet import Transformer, TransformerConfig
from profilers import Workload
from profilers.tensorrt.dialects import DIALECTS
from profilers.tensorrt.lint import lint_graph
from profilers.tensorrt.rtx_parser import missing_parser
from profilers.workers.program.onnx_runtime import OnnxRuntimeWorker
from profilers.workers.program.tensorrt.building import shape_ranges
from profilers.workers.program.tensorrt.engines import Engines
from profilers.workers.program.tensorrt.worker import TensorRtWorker

SENTENCE = TranslationWorkload(8, 5, 30, beam=3)
needs_rtx = pytest.mark.skipif(missing_parser() is not None, reason=str(missing_parser()))


def ask(worker: Any, op: str, **fields: Any) -> dict[str, Any]:
    return dict(worker.answer(json.dumps({"op": op, "id": "w", **fields}).encode()))


def results(worker: Any, path: Path) -> tuple[Any, Any]:
    """The last outputs of every call, and the tokens that each expert served."""
    assert "load_ms" in ask(worker, "load", workload=str(path), threads=1)
    outputs = ask(worker, "outputs")["outputs"]
    return outputs, ask(worker, "routing")["tokens_per_expert"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_worker_runs_them_as_onnxruntime_does(
    tmp_path: Path, sparse: Architecture, version: str, batch: int, precision: str
) -> None:
    sentence = replace(SENTENCE, batch=batch, precision=precision)
    path = WorkloadWriter(tmp_path, sentence, tensorrt=True).write(sparse)
    cuda = ImitatedCuda()
    folder = tmp_path / "engines"
    folder.mkdir()
    parts = (imitated_tensorrt(version, cuda), cuda, str(folder))
    worker = TensorRtWorker(find_parts=lambda runtime: parts)
    ours, counted = results(worker, path)
    theirs, expected = results(OnnxRuntimeWorker(), path)
    assert counted == expected
    assert sum(sum(tokens) for tokens in counted.values()) > 0
    for call, values in theirs.items():
        for name, described in values.items():
            got = ours[call][name]
            assert got["shape"] == described["shape"]
            assert got["sum"] == pytest.approx(described["sum"], rel=1e-6, abs=1e-6)
            is_narrowed = version.startswith("tensorrt 8") and described["dtype"] == "int64"
            assert got["dtype"] == ("int32" if is_narrowed else described["dtype"])


def test_the_routing_is_the_one_asked_for(tmp_path: Path, sparse: Architecture) -> None:
    counted = {}
    for tensorrt in (False, True):
        sentence = replace(SENTENCE, routing=RoutingPattern.parse("worst"))
        folder = tmp_path / str(tensorrt)
        path = WorkloadWriter(folder, sentence, tensorrt=tensorrt).write(sparse)
        counted[tensorrt] = results(OnnxRuntimeWorker(), path)[1]
    assert counted[True] == counted[False]


def test_only_the_cache_may_grow(tmp_path: Path, sparse: Architecture) -> None:
    path = WorkloadWriter(tmp_path, SENTENCE, tensorrt=True).write(sparse)
    ranges = Workload.load(path).shape_ranges
    open_inputs = {
        name
        for of_graph in ranges.values()
        for name, (least, _, most) in of_graph.items()
        if least != most
    }
    assert open_inputs == {f"past_{part}_{i}" for part in ("key", "value") for i in range(2)}
    assert [shape[2] for shape in ranges["decoder"]["past_key_0"]] == [0, 2, 4]
    # One word of one weight type lies in the blob that all share.
    assert {file.name for file in tmp_path.glob("*.bin")} == {"weights.bin"}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_every_dialect_takes_them(
    tmp_path: Path, sparse: Architecture, dialect: str, precision: str
) -> None:
    sentence = replace(SENTENCE, precision=precision)
    path = WorkloadWriter(tmp_path, sentence, tensorrt=True).write(sparse)
    for graph in Workload.load(path).graphs.values():
        refusals = [x for x in lint_graph(tmp_path / graph, dialect) if x.severity == "refusal"]
        assert refusals == []


def test_a_precision_that_a_runtime_lacks_is_refused(tmp_path: Path) -> None:
    message = "int4-weights. Got 'fp16'; processors have no"
    with pytest.raises(ValueError, match=message):
        WorkloadWriter(tmp_path, replace(SENTENCE, precision="fp16"))


def last_outputs(path: Path) -> dict[str, Any]:
    """Of the encoder, by name."""
    workload = Workload.load(path)
    (encoder, _) = workload.calls
    feeds = {
        name: np.array(spec.values, spec.dtype).reshape(spec.shape)
        for name, spec in encoder.inputs.items()
    }
    return run_named(open_session(path.parent / workload.graphs["encoder"]), feeds)


def test_integers_of_8_bits_stay_close(tmp_path: Path, sparse: Architecture) -> None:
    def encoded(precision: str) -> dict[str, Any]:
        sentence = replace(SENTENCE, precision=precision)
        return last_outputs(
            WorkloadWriter(tmp_path / precision, sentence, tensorrt=True).write(sparse)
        )

    exact, rounded = encoded("fp32"), encoded("int8")
    for name, value in exact.items():
        error, scale = np.abs(rounded[name] - value).mean(), np.abs(value).mean()
        if name.startswith("expert_"):
            assert np.array_equal(rounded[name], value)  # the workload decides the routing
        else:
            assert 0 < error < 0.1 * scale
    kinds = {
        node.op_type
        for file in (tmp_path / "int8").glob("*.onnx")
        for node in onnx.load(file, load_external_data=False).graph.node
    }
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    assert not kinds & {"DynamicQuantizeLinear", "MatMulInteger"}


def built(workload: Path) -> dict[str, int]:
    """Bytes of the engine that TensorRT for RTX builds of each graph, through the worker's code."""
    import tensorrt_rtx

    document = json.loads(workload.read_text())
    engines = Engines(tensorrt_rtx, {}, str(workload.parent))
    sizes = {}
    for name, file in document["graphs"].items():
        ranges = shape_ranges(document, name)
        plan = engines.build(str(workload.parent / file), ranges)
        sizes[name] = len(bytes(plan))
        assert sizes[name] == plan.nbytes
    return sizes


@needs_rtx
@pytest.mark.parametrize(
    "changes",
    [{"tgt_len": 1}, {"precision": "fp16", "beam": 1}, {"batch": 2}, {"precision": "int8"}],
    ids=["one step", "halves", "two sentences", "integers"],
)
def test_engines_are_built(tmp_path: Path, sparse: Architecture, changes: dict[str, Any]) -> None:
    sentence = replace(SENTENCE, **changes)
    sizes = built(WorkloadWriter(tmp_path, sentence, tensorrt=True).write(sparse))
    assert set(sizes) == {"encoder", "decoder"}
    assert min(sizes.values()) > 10_000


@needs_rtx
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_engines_of_a_bundle_are_built(
    tmp_path: Path, sparse: Architecture, precision: str
) -> None:
    import tensorrt_rtx

    widest = max(sparse.encoder.embed_dim, sparse.decoder.embed_dim)
    model = Transformer(TransformerConfig(sparse, 60, widest)).eval()
    int8 = calibrate(model, [random_pair(60, 9, 7, 0)]) if precision == "int8" else None
    bundle: Bundle = export_model(model, tmp_path, form="tensorrt", precision=precision, int8=int8)
    graphs = json.loads((tmp_path / PROFILES).read_text())["graphs"]
    engines = Engines(tensorrt_rtx, {}, str(tmp_path))
    for path in (bundle.encoder, bundle.decoder):
        inputs = graphs[path.name]["inputs"]
        ranges = {name: list(shapes.values()) for name, shapes in inputs.items()}
        assert engines.build(str(path), ranges).nbytes > 10_000


@needs_rtx
def test_an_engine_is_not_built_without_shapes(tmp_path: Path, sparse: Architecture) -> None:
    import tensorrt_rtx

    path = WorkloadWriter(tmp_path, SENTENCE, tensorrt=True).write(sparse)
    graph = tmp_path / Workload.load(path).graphs["encoder"]
    engines = Engines(tensorrt_rtx, {}, str(tmp_path))
    with pytest.raises(ValueError, match="the shapes that input 'source' may have"):
        engines.build(str(graph), {})


@pytest.mark.slow
@needs_rtx
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("name", PRESETS)
def test_engines_of_every_preset_are_built(tmp_path: Path, name: str, precision: str) -> None:
    space = SearchSpace.preset(name, max_experts=6, fractional=True)
    sentence = replace(TranslationWorkload.of(space), precision=precision)
    architecture = space.sample(Random(1))
    assert any(layer.is_sparse for layer in architecture.decoder.layers)
    sizes = built(WorkloadWriter(tmp_path, sentence, tensorrt=True).write(architecture))
    assert min(sizes.values()) > 100_000
