"""The graphs for TensorRT compute what those for ONNX Runtime compute, output by output."""

import json
from collections.abc import Mapping
from pathlib import Path
from random import Random

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from support.models import randomise_norms

from automoe.architecture.architecture import EncoderLayer
from automoe.architecture.space import SearchSpace
from automoe.deployed.packing import packed
from automoe.deployed.sessions import open_session
from automoe.export import Bundle, ExportError, check_parity, export_model
from automoe.export.replay import carried, empty_cache, run_named
from automoe.export.tensorrt_experts import is_gathered, stacked_experts
from automoe.export.tensorrt_profiles import PROFILES
from automoe.supernet import Transformer, TransformerConfig, extract

Values = Mapping[str, NDArray[np.generic]]
VOCAB_SIZE = 60
# What the parsers of TensorRT 8.5 take; no operator here has outputs whose shape depends on data.
TAKEN = {
    *("Add", "Cast", "Concat", "Div", "Equal", "Gather", "Gemm", "Identity", "MatMul", "Mul"),
    *("ReduceMax", "ReduceMean", "Relu", "Reshape", "Shape", "Slice", "Softmax", "Sqrt", "Sub"),
    *("TopK", "Transpose", "Where"),
}


def sparse_subnet(seed: int, **changes: object) -> Transformer:
    """With experts of different widths in both halves."""
    space, rng = SearchSpace.preset("tiny", max_experts=4, fractional=True), Random(seed)
    architecture = next(
        a
        for a in (space.sample(rng) for _ in range(500))
        if len(set(a.decoder.layers[0].experts)) > 1
        and any(len(set(layer.experts)) > 1 for layer in a.encoder.layers)
    )
    config = TransformerConfig.for_space(space, vocab_size=VOCAB_SIZE, dropout=0.0, **changes)
    supernet = Transformer(config, seed=seed).eval()
    randomise_norms(supernet, torch.Generator().manual_seed(seed))
    return extract(supernet, architecture)


def translated(bundle: Bundle, beam: int, n_steps: int = 4) -> list[Values]:
    """Every output of the encoder and of each decoder step."""
    architecture = bundle.config.architecture
    rng = np.random.default_rng(3)
    source = rng.integers(4, VOCAB_SIZE, 11)
    runs = [run_named(open_session(bundle.encoder), packed([source]))]
    state = {k: v for k, v in runs[0].items() if k.startswith("cross_")}
    state |= empty_cache(architecture, beam)
    state |= {"parent": np.arange(beam), "n_sentences": np.array([1]), "n_best": np.array([1])}
    session = open_session(bundle.decoder)
    for step in range(n_steps):
        token = rng.integers(4, VOCAB_SIZE, beam)
        runs.append(run_named(session, {"token": token, "position": np.array([step]), **state}))
        state |= carried(runs[-1])
    return runs


GATHERED, MASKED = 0, 1000


# Passes over the weights that gathering is said to cost: none, and more than masking ever does.
@pytest.mark.parametrize("passes", [GATHERED, MASKED])
@pytest.mark.parametrize("changes", [{}, {"pre_norm": True, "shared_embeddings": False}])
def test_every_output_is_that_of_the_other_form(
    tmp_path: Path, passes: int, changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automoe.export.tensorrt_experts._PASSES", passes)
    model, beam = sparse_subnet(5, **changes), 3
    expected = translated(export_model(model, tmp_path / "onnx"), beam)
    bundle = export_model(model, tmp_path / "trt", form="tensorrt")
    names = weight_names(bundle.decoder) | weight_names(bundle.encoder)
    assert any(".padded." in name for name in names) == (passes == GATHERED)
    assert any(".joined." in name for name in names) == (passes == MASKED)
    got = translated(bundle, beam)
    choices = 0
    for ours, theirs in zip(got, expected, strict=True):
        further = {name for name in theirs if name.startswith(("best_", "cross_barred_"))}
        assert ours.keys() == theirs.keys() - further
        for name, value in ours.items():
            # ONNX Runtime's form has a dimension for the sentence.
            expected_value = theirs[name][0] if name.startswith("cross_") else theirs[name]
            assert value.dtype == expected_value.dtype
            np.testing.assert_allclose(value, expected_value, atol=2e-5, rtol=2e-5)
            choices += value.size if name.startswith("expert_") else 0
    assert choices >= 11 + 4 * beam


def weight_names(path: Path) -> set[str]:
    graph = onnx.load(path, load_external_data=False).graph
    return {tensor.name for tensor in graph.initializer}


def operators(path: Path) -> set[str]:
    return {node.op_type for node in onnx.load(path, load_external_data=False).graph.node}


@pytest.mark.parametrize("passes", [GATHERED, MASKED])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_no_operator_is_one_that_a_parser_refuses(
    tmp_path: Path, precision: str, passes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automoe.export.tensorrt_experts._PASSES", passes)
    bundle = export_model(sparse_subnet(0), tmp_path, form="tensorrt", precision=precision)
    assert operators(bundle.encoder) | operators(bundle.decoder) <= TAKEN
    for path in (bundle.encoder, bundle.decoder):
        onnx.checker.check_model(str(path), full_check=True)


def test_the_form_that_moves_fewer_weights_is_chosen() -> None:
    # Three passes over the padded weights of every token, or one over all.
    six = EncoderLayer(heads=2, experts=(1024,) * 6)
    uneven = EncoderLayer(heads=2, experts=(3072, 1024, 1024, 1024))
    assert is_gathered(six, 1)  # 3 x 1024 < 6 x 1024
    assert not is_gathered(six, 2)  # 6 x 1024 is no less
    assert not is_gathered(uneven, 1)  # 3 x 3072 > 6144


@pytest.mark.parametrize("seed", [0, 1])
def test_float16_stays_close_to_torch(tmp_path: Path, seed: int) -> None:
    model = sparse_subnet(seed)
    bundle = export_model(model, tmp_path, form="tensorrt", precision="fp16")
    assert (bundle.form, bundle.precision) == ("tensorrt", "fp16")
    parity = check_parity(model, bundle)
    assert parity.median_difference < 0.01
    assert parity.median_difference > 0  # it is not float32 after all
    half = (tmp_path / "weights.bin").stat().st_size
    whole = export_model(model, tmp_path / "fp32", form="tensorrt").folder / "weights.bin"
    assert half < 0.75 * whole.stat().st_size  # pages round small weights up


def test_float16_that_is_wrong_is_found(tmp_path: Path) -> None:
    model = sparse_subnet(0)
    bundle = export_model(model, tmp_path, form="tensorrt", precision="fp16")
    with torch.no_grad():
        for weight in (model.decoder[0].cross.out.weight, model.target_embedding):
            weight += 1.0
    with pytest.raises(ExportError, match=r"differ from torch: .* use '--precision fp32'"):
        check_parity(model, bundle)


@pytest.mark.parametrize("max_positions", [10, 30, 31])
def test_the_typical_shape_lies_between_the_others(tmp_path: Path, max_positions: int) -> None:
    export_model(sparse_subnet(0), tmp_path, form="tensorrt", max_positions=max_positions)
    graphs = json.loads((tmp_path / PROFILES).read_text())["graphs"]
    assert set(graphs) == {"encoder.onnx", "decoder.onnx"}
    for graph in graphs.values():
        for shapes in graph["inputs"].values():
            for low, typical, high in zip(*(shapes[x] for x in ("min", "opt", "max")), strict=True):
                assert low <= typical <= high


def test_an_engine_finds_the_range_of_every_open_dimension(tmp_path: Path) -> None:
    model = sparse_subnet(0)
    bundle = export_model(model, tmp_path, form="tensorrt", max_positions=64)
    graphs = json.loads((tmp_path / PROFILES).read_text())["graphs"]
    assert graphs["encoder.onnx"]["inputs"] == {"source": {"min": [1], "opt": [30], "max": [64]}}
    given = graphs["decoder.onnx"]["inputs"]
    layer: EncoderLayer = model.config.architecture.decoder.layers[0]
    head = model.config.architecture.qkv_dim // layer.heads
    assert given["past_key_0"] == {
        "min": [1, layer.heads, 0, head],
        "opt": [4, layer.heads, 30, head],
        "max": [8, layer.heads, 63, head],
    }
    span = model.config.architecture.decoder.layers[0].cross_span
    assert [shape[-1] for shape in given["cross_key_0"].values()] == [span, 30 * span, 64 * span]
    declared = onnx.load(bundle.decoder, load_external_data=False).graph.input
    assert list(given) == [value.name for value in declared]
    _, least, *_ = graphs["decoder.onnx"]["trtexec"]
    assert least.startswith("--minShapes=token:1,position:1,past_key_0:1x")


@pytest.mark.parametrize(
    ("form", "precision", "message"),
    [
        ("onnx", "fp16", "int8-weights, int4-weights. Got 'fp16'; processors have no kernels"),
        ("tensorrt", "int4", "must be one of fp32, fp16, int8. Got 'int4'"),
        ("plan", "fp32", "'--format' must be onnx, tensorrt or huggingface. Got 'plan'"),
    ],
)
def test_what_does_not_exist_is_refused(
    tmp_path: Path, form: str, precision: str, message: str
) -> None:
    with pytest.raises(ExportError, match=message):
        export_model(sparse_subnet(0), tmp_path / "out", form=form, precision=precision)
    assert not (tmp_path / "out").exists()


def test_padding_adds_nothing() -> None:
    rng = np.random.default_rng(0)
    layer = EncoderLayer(heads=2, experts=(3, 5))
    state = {}
    for i, width in enumerate(layer.experts):
        state[f"f.experts.{i}.expand.weight"] = rng.standard_normal((width, 4))
        state[f"f.experts.{i}.expand.bias"] = rng.standard_normal(width)
        state[f"f.experts.{i}.contract.weight"] = rng.standard_normal((4, width))
        state[f"f.experts.{i}.contract.bias"] = rng.standard_normal(4)
    stacked = stacked_experts(state, layer, "f")
    assert stacked["f.experts.padded.expand.weight"].shape == (2, 5, 4)
    assert not stacked["f.experts.padded.expand.weight"][0, 3:].any()
    assert not stacked["f.experts.padded.contract.weight"][0, :, 3:].any()
    x = rng.standard_normal(4)
    hidden = stacked["f.experts.padded.expand.weight"][0] @ x
    hidden += stacked["f.experts.padded.expand.bias"][0, :, 0]
    out = stacked["f.experts.padded.contract.weight"][0] @ np.maximum(hidden, 0)
    own = np.maximum(state["f.experts.0.expand.weight"] @ x + state["f.experts.0.expand.bias"], 0)
    np.testing.assert_allclose(out, state["f.experts.0.contract.weight"] @ own)
