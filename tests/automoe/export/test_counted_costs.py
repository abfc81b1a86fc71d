"""Costs counted in exported graphs against the closed form, and against a real run."""

from pathlib import Path
from random import Random

import numpy as np
import onnx
import pytest
from support.onnx_runs import fused, observed_shapes

from automoe.architecture.architecture import Architecture
from automoe.architecture.cost import routed_ffn_flops
from automoe.architecture.routing_pattern import RoutingPattern
from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.export import WorkloadWriter
from profilers import Workload, costs_of_graph, costs_of_workload

FLOAT_BYTES = 4


def tokens_per_expert(workload: Workload, side: str, layer: int) -> list[int]:
    """Over all steps, from the biases that force the routing."""
    (call,) = [call for call in workload.calls if call.name == side]
    name = f"route_{layer}"
    specs = call.step_inputs[name] if name in call.step_inputs else (call.inputs[name],)
    chosen = np.concatenate(
        [np.reshape(spec.values or (), spec.shape).argmax(axis=1) for spec in specs]
    )
    return np.bincount(chosen, minlength=specs[0].shape[1]).tolist()


def served_ffn_flops(
    architecture: Architecture, workload: Workload, sentence: TranslationWorkload
) -> float:
    total = 0.0
    for side, stack, n_tokens in (
        ("encoder", architecture.encoder, sentence.src_len),
        ("decoder", architecture.decoder, sentence.tgt_len),
    ):
        for i, layer in enumerate(stack.layers):
            tokens = tokens_per_expert(workload, side, i) if layer.is_sparse else [n_tokens]
            total += routed_ffn_flops(layer.experts, tokens, stack.embed_dim)
    return total


def expected_flops(
    architecture: Architecture, workload: Workload, sentence: TranslationWorkload
) -> float:
    """The closed form without norms, for the routing that was drawn and a cache that grows."""
    cost = sentence.cost(architecture)
    stacks = (cost.encoder, cost.decoder)
    fixed = sum(x.attention_flops + x.router_flops for x in stacks) + cost.projection_flops
    # The closed form lets every target token attend to all M; step t attends to t.
    steps = sentence.tgt_len
    saved = len(architecture.decoder.layers) * 4 * architecture.qkv_dim
    saved *= steps**2 - steps * (steps + 1) // 2
    return fixed - saved + served_ffn_flops(architecture, workload, sentence)


@pytest.mark.parametrize("routing", ["balanced", "worst"])
@pytest.mark.parametrize(
    ("preset", "seed"),
    [
        ("tiny", 1),
        ("tiny", 2),
        pytest.param("wmt14-en-de", 3, marks=pytest.mark.slow),  # half a gigabyte of weights
    ],
)
def test_counted_flops_equal_the_formula(
    tmp_path: Path, preset: str, seed: int, routing: str
) -> None:
    space = SearchSpace.preset(preset, max_experts=4, fractional=True)
    architecture = space.sample(Random(seed))
    sentence = TranslationWorkload.of(space, routing=RoutingPattern.parse(routing))
    path = WorkloadWriter(tmp_path, sentence).write(architecture)
    costs = costs_of_workload(path)
    assert costs.unknown_nodes == ()
    assert costs.flops == expected_flops(architecture, Workload.load(path), sentence)


def test_even_routing_gives_the_balanced_formula(tmp_path: Path, sparse: Architecture) -> None:
    # Six tokens go evenly to three experts.
    sentence = TranslationWorkload(src_len=6, tgt_len=4, vocab_size=50)
    WorkloadWriter(tmp_path, sentence).write(sparse)
    path = tmp_path / f"{sparse.id}.encoder.onnx"
    encoder = costs_of_graph(path, dims={"tokens": 6, "sentences": 1, "source_length": 6})
    cost = sentence.cost(sparse)
    # The graph also projects keys and values for the decoder's two layers, of spans 2 and 1.
    crossed = 2 * (2 + 1) * 6 * 2 * sparse.qkv_dim * sparse.encoder.embed_dim
    stack = cost.encoder
    assert encoder.flops == (stack.attention_flops + stack.router_flops + stack.ffn_flops + crossed)


def test_weights_are_those_of_the_formula(tmp_path: Path, sparse: Architecture) -> None:
    sentence = TranslationWorkload(src_len=6, tgt_len=4, vocab_size=50, shared_embeddings=False)
    WorkloadWriter(tmp_path, sentence).write(sparse)
    weights = 0
    for side in ("encoder", "decoder"):
        path = tmp_path / f"{sparse.id}.{side}.onnx"
        weights += costs_of_graph(path).weight_bytes
    positions = 6 * sparse.encoder.embed_dim + 4 * sparse.decoder.embed_dim
    expected = sentence.cost(sparse).weight_bytes + FLOAT_BYTES * positions
    constants = weights - expected  # axes, scales and the like
    assert 0 < constants < 1000


def test_shapes_are_those_of_a_run(tmp_path: Path, sparse: Architecture) -> None:
    sentence = TranslationWorkload(
        src_len=7, tgt_len=2, vocab_size=50, routing=RoutingPattern("worst")
    )
    workload = Workload.load(WorkloadWriter(tmp_path, sentence).write(sparse))
    call = workload.calls[0]
    path = tmp_path / workload.graphs[call.graph]
    feeds = {
        name: np.asarray(spec.values, spec.dtype).reshape(spec.shape)
        for name, spec in call.inputs.items()
    }
    tokens = tokens_per_expert(workload, "encoder", 0)
    dims = {"tokens": 7, "sentences": 1, "source_length": 7}
    costs = costs_of_graph(path, dims=dims, tokens_per_segment=[tokens])
    elements = {name: int(np.prod(x)) for name, x in observed_shapes(path, feeds).items()}
    integers = ("Shape_", "Range_", "ArgMax_", "Unsqueeze_", "Cast_", "ReduceSum_", "Squeeze_")
    itemsize = dict.fromkeys(elements, FLOAT_BYTES)
    # TopK sorts the experts' numbers, which are integers too.
    itemsize |= {x: 8 for x in elements if x.startswith((*integers, "TopK_", "expert_"))}
    itemsize |= {x: 1 for x in elements if x.startswith("Equal_")}
    graph = onnx.load(path, load_external_data=False).graph
    # Places of tokens are integers; the first layer of the decoder attends to two encoder layers.
    places = [node for node in graph.node if "source_token" in node.input]
    itemsize |= {node.output[0]: 8 for node in places if node.op_type in {"Add", "Concat"}}
    # A runtime folds what depends on weights alone.
    weights = {weight.name for weight in graph.initializer}
    for node in graph.node:
        weights |= set(node.output) if weights.issuperset(node.input) else set()
    in_a_run = {name: n for name, n in elements.items() if name not in weights}
    assert elements.keys() == in_a_run.keys()
    assert costs.activation_bytes == sum(n * itemsize[name] for name, n in in_a_run.items())


@pytest.mark.parametrize("side", ["encoder", "decoder"])
def test_what_the_runtime_makes_of_a_graph_has_the_same_flops(
    tmp_path: Path, sparse: Architecture, side: str
) -> None:
    sentence = TranslationWorkload(src_len=6, tgt_len=4, vocab_size=50)
    WorkloadWriter(tmp_path, sentence).write(sparse)
    path = tmp_path / f"{sparse.id}.{side}.onnx"
    plain, rewritten = costs_of_graph(path), costs_of_graph(fused(path))
    assert any(op.startswith("com.microsoft.Fused") for op in rewritten.operators)
    assert (rewritten.flops, rewritten.unknown_nodes) == (plain.flops, ())
