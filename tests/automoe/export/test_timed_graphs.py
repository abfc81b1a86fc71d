import hashlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.external_data_helper import ExternalDataInfo

from automoe.architecture.architecture import Architecture
from automoe.architecture.routing_pattern import RoutingPattern
from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.deployed.sessions import open_session
from automoe.deployed.shortlist import Shortlist
from automoe.export import WorkloadWriter, export_model
from automoe.export.replay import run_named
from automoe.supernet import Transformer, TransformerConfig
from devices import get_device
from profilers import TensorSpec, WorkerProcess, Workload

SRC_LEN, TGT_LEN, VOCAB_SIZE, BEAM = 8, 5, 30, 3


def sentence(routing: str = "balanced", beam: int = BEAM) -> TranslationWorkload:
    return TranslationWorkload(
        SRC_LEN, TGT_LEN, VOCAB_SIZE, beam=beam, routing=RoutingPattern.parse(routing)
    )


def array(spec: TensorSpec) -> np.ndarray:
    values = np.array(spec.values, dtype=spec.dtype)
    return np.full(spec.shape, values[0]) if values.size == 1 else values.reshape(spec.shape)


def run_all(path: Path) -> dict[str, list[dict[str, np.ndarray]]]:
    """Every run of every call, by an interpreter of workloads that is not the worker's."""
    workload = Workload.load(path)
    runs: dict[str, list[dict[str, np.ndarray]]] = {}
    for call in workload.calls:
        session = open_session(path.parent / workload.graphs[call.graph])
        feeds: dict[str, Any] = {name: array(spec) for name, spec in call.inputs.items()}
        feeds |= {name: runs[other][-1][out] for name, (other, out) in call.from_calls.items()}
        runs[call.name] = []
        for step in range(call.repeat):
            feeds |= {name: array(specs[step]) for name, specs in call.step_inputs.items()}
            outputs = run_named(session, feeds)
            runs[call.name].append(outputs)
            feeds |= {name: outputs[out] for out, name in call.carry.items()}
    return runs


def test_a_sparse_architecture_runs_in_the_worker(tmp_path: Path, sparse: Architecture) -> None:
    path = WorkloadWriter(tmp_path, sentence()).write(sparse)
    with WorkerProcess(get_device("cpu")) as worker:
        worker.request("load", id="x", workload=str(path), threads=1)
        outputs = worker.request("outputs", id="x")["outputs"]
    assert all(tensor["finite"] for call in outputs.values() for tensor in call.values())
    shapes = {name: tensor["shape"] for call in outputs.values() for name, tensor in call.items()}
    # qkv 16; layer 0 attends with 2 heads to 2 encoder layers, layer 1 with 4 heads to one.
    assert shapes["cross_key_0"] == [1, 2, 8, 2 * SRC_LEN]
    assert shapes["cross_value_1"] == [1, 4, SRC_LEN, 4]
    assert shapes["best_token"] == [BEAM, BEAM]
    assert shapes["present_key_0"] == [BEAM, 4, TGT_LEN, 4]
    assert shapes["present_value_1"] == [BEAM, 2, TGT_LEN, 8]
    runs = run_all(path)
    for call, last in ((name, runs[name][-1]) for name in ("encoder", "decoder")):
        for name, value in last.items():
            total = pytest.approx(float(value.sum()), rel=1e-4, abs=1e-3)
            assert outputs[call][name]["sum"] == total


@pytest.mark.parametrize("routing", ["balanced", "skewed:1.5", "worst"])
def test_the_routing_is_the_one_asked_for(
    tmp_path: Path, sparse: Architecture, routing: str
) -> None:
    runs = run_all(WorkloadWriter(tmp_path, sentence(routing)).write(sparse))
    pattern = RoutingPattern.parse(routing)
    encoder = pattern.experts((16, 48, 32), SRC_LEN, np.random.default_rng((0, 0)))
    assert runs["encoder"][0]["expert_0"].tolist() == encoder.tolist()
    decoder = pattern.experts((8, 40), TGT_LEN * BEAM, np.random.default_rng((1, 0)))
    by_step = np.stack([step["expert_0"] for step in runs["decoder"]])
    assert by_step.tolist() == decoder.reshape(TGT_LEN, BEAM).tolist()


def test_balanced_and_worst_routing_by_hand(tmp_path: Path, sparse: Architecture) -> None:
    def served(routing: str) -> list[int]:
        runs = run_all(WorkloadWriter(tmp_path / routing, sentence(routing)).write(sparse))
        return np.bincount(runs["encoder"][0]["expert_0"], minlength=3).tolist()

    assert sorted(served("balanced")) == [2, 3, 3]  # eight tokens, three experts
    assert served("worst") == [1, 6, 1]  # expert 1 is the widest


def test_every_decoder_step_is_finite_and_sees_one_more_token(
    tmp_path: Path, sparse: Architecture
) -> None:
    steps = run_all(WorkloadWriter(tmp_path, sentence()).write(sparse))["decoder"]
    assert [step["present_key_1"].shape[2] for step in steps] == [1, 2, 3, 4, 5]
    assert all(np.isfinite(value).all() for step in steps for value in step.values())
    first, second = (step["best_log_probability"] for step in steps[:2])
    assert not np.array_equal(first, second)


def test_architectures_share_weights_whose_beginning_does_not_change(
    tmp_path: Path, sparse: Architecture, tiny: SearchSpace
) -> None:
    writer = WorkloadWriter(tmp_path, sentence())
    path = writer.write(sparse)
    first, before = (tmp_path / "weights.bin").read_bytes(), run_all(path)
    writer.write(tiny.largest())
    grown = (tmp_path / "weights.bin").read_bytes()
    assert len(grown) > len(first)
    assert grown.startswith(first)
    assert [file.name for file in tmp_path.glob("*.bin")] == ["weights.bin"]
    after = run_all(path)
    first, second = (runs["decoder"][-1]["best_log_probability"] for runs in (before, after))
    assert np.array_equal(first, second)


def test_weights_of_encoder_and_decoder_lie_apart(tmp_path: Path, sparse: Architecture) -> None:
    workload = Workload.load(WorkloadWriter(tmp_path, sentence()).write(sparse))
    spans = []
    for graph in workload.graphs.values():
        model = onnx.load(tmp_path / graph, load_external_data=False)
        for tensor in model.graph.initializer:
            if tensor.external_data:
                info = ExternalDataInfo(tensor)
                spans.append((info.offset, info.offset + info.length))
    spans.sort()
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


@pytest.mark.parametrize("beam", [1, 4])
def test_a_dense_architecture_needs_no_routes(tmp_path: Path, tiny: SearchSpace, beam: int) -> None:
    path = WorkloadWriter(tmp_path, sentence(beam=beam)).write(tiny.smallest())
    calls = Workload.load(path).calls
    assert not [
        name
        for call in calls
        for name in (*call.inputs, *call.step_inputs)
        if name.startswith("route")
    ]
    assert run_all(path)["decoder"][-1]["best_token"].shape == (beam, beam)


def test_graphs_pass_the_onnx_checker(tmp_path: Path, sparse: Architecture) -> None:
    workload = Workload.load(WorkloadWriter(tmp_path, sentence()).write(sparse))
    for graph in workload.graphs.values():
        onnx.checker.check_model(str(tmp_path / graph), full_check=True)


def test_the_smallest_vocabulary_that_holds_a_word(tmp_path: Path, sparse: Architecture) -> None:
    path = WorkloadWriter(tmp_path, TranslationWorkload(3, 2, 5)).write(sparse)
    assert run_all(path)["decoder"][-1]["best_token"].shape == (1, 1)


def test_sentences_of_a_batch_do_not_see_each_other(tmp_path: Path, sparse: Architecture) -> None:
    # All tokens go to one expert of each layer, so that routing is the same for one and for two.
    alone, together = (
        run_all(WorkloadWriter(tmp_path / str(n), replace(sentence("best"), batch=n)).write(sparse))
        for n in (1, 2)
    )
    one, two = alone["encoder"][0], together["encoder"][0]
    for j in range(2):
        for part in ("key", "value"):
            both = two[f"cross_{part}_{j}"]
            assert both[0] == pytest.approx(one[f"cross_{part}_{j}"][0], abs=1e-6)
            assert np.abs(both[0] - both[1]).max() > 1e-4
    for step, run in enumerate(together["decoder"]):
        # The second layer's values read what the first one attended to. With such small random
        # weights sentences differ little, but more than rounding does.
        values, expected = (each["present_value_1"] for each in (run, alone["decoder"][step]))
        assert values.shape == (2 * BEAM, *expected.shape[1:])
        own, other = (np.abs(each - expected).max() for each in np.split(values, 2))
        assert own < other / 20


def test_the_worker_counts_the_tokens_of_each_expert(tmp_path: Path, sparse: Architecture) -> None:
    path = WorkloadWriter(tmp_path, sentence()).write(sparse)
    with WorkerProcess(get_device("cpu")) as worker:
        worker.request("load", id="x", workload=str(path), threads=1)
        counted = worker.request("routing", id="x")["tokens_per_expert"]
    # Eight source tokens over three experts; five steps of three hypotheses over two.
    assert {router: sorted(tokens) for router, tokens in counted.items()} == {
        "encoder.expert_0": [2, 3, 3],
        "decoder.expert_0": [7, 8],
    }


@pytest.mark.parametrize(
    ("precision", "operator"),
    [
        ("int8", "MatMulInteger"),
        ("int8-weights", "MatMulNBits"),
        ("int4-weights", "MatMulNBits"),
    ],
)
def test_products_of_integers_run_in_the_worker_and_route_alike(
    tmp_path: Path, sparse: Architecture, precision: str, operator: str
) -> None:
    exact, coarse = (
        WorkloadWriter(tmp_path / name, replace(sentence(), precision=name)).write(sparse)
        for name in ("fp32", precision)
    )
    for graph in Workload.load(coarse).graphs.values():
        nodes = onnx.load(coarse.parent / graph, load_external_data=False).graph.node
        assert operator in {node.op_type for node in nodes}
        # Routers alone are computed in float32.
        products = [node.input[1] for node in nodes if node.op_type == "Gemm"]
        assert products
        assert all(name.endswith("feed_forward.router.weight") for name in products)
    expected, got = run_all(exact), run_all(coarse)
    routers = [name for name in got["encoder"][-1] if name.startswith("expert_")]
    assert routers
    for name in routers:
        np.testing.assert_array_equal(got["encoder"][-1][name], expected["encoder"][-1][name])
    with WorkerProcess(get_device("cpu")) as worker:
        worker.request("load", id="x", workload=str(coarse), threads=1)
        outputs = worker.request("outputs", id="x")["outputs"]
    assert all(tensor["finite"] for call in outputs.values() for tensor in call.values())


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_shortlist_is_part_of_what_is_timed(
    tmp_path: Path, sparse: Architecture, precision: str
) -> None:
    few = replace(sentence(), precision=precision, shortlist=7)
    path = WorkloadWriter(tmp_path, few).write(sparse)
    assert [call.name for call in Workload.load(path).calls] == ["encoder", "shortlist", "decoder"]
    candidates = {int(i * VOCAB_SIZE // 7) for i in range(7)}
    for step in run_all(path)["decoder"]:
        assert set(step["best_token"].ravel().tolist()) <= candidates
    with WorkerProcess(get_device("cpu")) as worker:
        worker.request("load", id="x", workload=str(path), threads=1)
        outputs = worker.request("outputs", id="x")["outputs"]
    assert all(tensor["finite"] for call in outputs.values() for tensor in call.values())
    whole = sentence().cost(sparse)
    assert few.cost(sparse).projection_flops == round(7 / VOCAB_SIZE * whole.projection_flops)
    assert few.cost(sparse).embedding_params == whole.embedding_params


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_graphs_with_a_shortlist_are_timed_as_they_are_exported(
    tmp_path: Path, tiny: SearchSpace, precision: str
) -> None:
    dense = tiny.smallest()  # in sparse layers, an input decides the routing that is timed
    few = replace(sentence(), precision=precision, shortlist=7)
    path = WorkloadWriter(tmp_path / "timed", few).write(dense)
    bundle = export_model(
        Transformer(TransformerConfig.of(dense, vocab_size=VOCAB_SIZE)),
        tmp_path / "exported",
        max_positions=SRC_LEN,
        precision=precision,
        shortlist=Shortlist(np.zeros((VOCAB_SIZE, 1)), np.zeros(1)),
    )
    for name, timed in Workload.load(path).graphs.items():
        graphs = [
            onnx.load(file, load_external_data=False).graph
            for file in (path.parent / timed, bundle.folder / f"{name}.onnx")
        ]
        assert graphs[0].input == graphs[1].input
        # Only the names of values differ: logits are no output of what is timed.
        nodes, expected = ([(x.op_type, x.attribute) for x in graph.node] for graph in graphs)
        assert nodes == expected


def test_there_is_no_shortlist_for_tensorrt_or_in_blocks(tmp_path: Path) -> None:
    few = replace(sentence(), shortlist=7)
    with pytest.raises(ValueError, match="'shortlist' needs runtime onnxruntime and precision"):
        WorkloadWriter(tmp_path, few, tensorrt=True)
    with pytest.raises(ValueError, match="Got onnxruntime and int4-weights; leave it out"):
        WorkloadWriter(tmp_path, replace(few, precision="int4-weights"))


# For each form: what its graphs compute and which runs of them are timed.
DIGESTS = {
    "onnx fp32": "49ef8fbb5960818e",
    "onnx int8": "0bdd4c4c6f80fbc9",
    "onnx int4-weights": "4760010ff1fb45eb",
    "tensorrt fp32": "b6e5525493e1ef41",
}


@pytest.mark.parametrize("form", DIGESTS)
def test_what_is_timed_does_not_change_under_one_version(
    tmp_path: Path, sparse: Architecture, form: str
) -> None:
    runtime, precision = form.split()
    asked = replace(
        sentence(), precision=precision, shortlist=7 if form in ("onnx fp32", "onnx int8") else 0
    )
    path = WorkloadWriter(tmp_path, asked, tensorrt=runtime == "tensorrt").write(sparse)
    digest = hashlib.sha256(path.read_bytes())
    for file in sorted(tmp_path.glob("*.onnx")):
        graph = onnx.load(file, load_external_data=False).graph
        for part in (*graph.input, *graph.node, *graph.output):
            digest.update(part.SerializeToString(deterministic=True))
        for weight in graph.initializer:
            digest.update(repr((weight.name, weight.data_type, *weight.dims)).encode())
    assert digest.hexdigest()[:16] == DIGESTS[form], (
        "The timed graphs have changed. Unless only names did, logs of before must not go on: "
        "raise SCHEMA_VERSION in profilers/measuring/measurement.py by one. Then write this "
        "digest into DIGESTS."
    )
