"""What one of an 8-bit integer is worth, against what torch's own modules read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from support.models import randomise_norms

from automoe.architecture.architecture import Architecture
from automoe.export import ExportError, calibrate, check_parity, export_model, random_pair
from automoe.supernet import Transformer, TransformerConfig
from automoe.text import Pair
from automoe.text.special_tokens import BOS
from profilers.tensorrt.dialects import DIALECTS
from profilers.tensorrt.lint import lint_graph

VOCAB_SIZE = 60
MODULES = ("encoder.0.attention.query", "decoder.0.cross.out", "decoder.0.cross.key")
PAIRS = tuple(random_pair(VOCAB_SIZE, 9, 7, seed) for seed in range(8))


@pytest.fixture
def model(sparse: Architecture, torch_rng: torch.Generator) -> Transformer:
    config = TransformerConfig(sparse, vocab_size=VOCAB_SIZE, position_dim=24, dropout=0.0)
    model = Transformer(config, seed=3).eval()
    randomise_norms(model, torch_rng)
    return model


def read_by(model: Transformer, name: str, pairs: Sequence[Pair]) -> float:
    """The largest magnitude that a module of torch reads."""
    sizes: list[float] = []

    def keep(module: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        sizes.append(float(inputs[0].abs().max()))

    hook = model.get_submodule(name).register_forward_pre_hook(keep)
    with torch.no_grad():
        for pair in pairs:
            model(torch.tensor([pair.source]), torch.tensor([(BOS, *pair.target)]))
    hook.remove()
    assert sizes
    return max(sizes)


@pytest.mark.parametrize("name", MODULES)
def test_a_step_is_a_127th_of_the_largest_magnitude(model: Transformer, name: str) -> None:
    step, steps = calibrate(model, PAIRS)(f"{name}.weight")
    assert step == pytest.approx(read_by(model, name, PAIRS) / 127, rel=1e-4)
    weight = model.get_submodule(name).weight
    assert isinstance(weight, torch.Tensor)
    np.testing.assert_allclose(steps, weight.detach().abs().amax(dim=1).numpy() / 127, rtol=1e-6)


def test_more_sentences_can_only_widen_it(model: Transformer) -> None:
    few, many = calibrate(model, PAIRS[:1]), calibrate(model, PAIRS)
    wider = [many(f"{name}.weight")[0] / few(f"{name}.weight")[0] for name in MODULES]
    assert min(wider) >= 1
    assert max(wider) > 1


def test_the_bundle_stays_close_to_torch(tmp_path: Path, model: Transformer) -> None:
    steps = calibrate(model, PAIRS[1:])
    bundle = export_model(model, tmp_path, form="tensorrt", precision="int8", int8=steps)
    parity = check_parity(model, bundle, pairs=PAIRS[:1])
    assert 0 < parity.median_difference < 0.05 * parity.spread
    assert parity.n_choices > 0


def test_steps_that_are_wrong_are_found(tmp_path: Path, model: Transformer) -> None:
    steps = calibrate(model, PAIRS)

    def wrong(weight: str) -> tuple[float, Any]:
        step, of_weight = steps(weight)
        return step / 50, of_weight

    bundle = export_model(model, tmp_path, form="tensorrt", precision="int8", int8=wrong)
    with pytest.raises(ExportError, match=r"differ from torch: .* nearer to what it translates"):
        check_parity(model, bundle, pairs=PAIRS[:1])


def test_products_read_integers_and_routers_do_not(tmp_path: Path, model: Transformer) -> None:
    int8 = calibrate(model, PAIRS)
    bundle = export_model(model, tmp_path, form="tensorrt", precision="int8", int8=int8)
    for path in (bundle.encoder, bundle.decoder):
        onnx.checker.check_model(str(path), full_check=True)
        graph = onnx.load(path, load_external_data=False).graph
        made_by = {name: node.op_type for node in graph.node for name in node.output}
        products = [node for node in graph.node if node.op_type == "Gemm"]
        assert len(products) > 5
        for node in products:
            is_router = ".router." in node.input[1]
            for factor in node.input[:2]:
                assert (made_by.get(factor) == "DequantizeLinear") != is_router


def test_masked_experts_have_a_step_for_each_output(
    tmp_path: Path, model: Transformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automoe.export.tensorrt_experts._PASSES", 1000)
    int8 = calibrate(model, PAIRS)
    bundle = export_model(model, tmp_path, form="tensorrt", precision="int8", int8=int8)
    graph = onnx.load(bundle.encoder, load_external_data=False).graph
    weights = {x.name: tuple(x.dims) for x in graph.initializer}
    nodes = {name: node for node in graph.node for name in node.output}
    contracted = [
        nodes[node.input[1]]
        for node in graph.node
        if node.op_type == "MatMul"
        if nodes[node.input[1]].op_type == "DequantizeLinear"
    ]
    assert len(contracted) == 1
    rounded, step, zero = nodes[contracted[0].input[0]].input
    width, dim = weights[rounded]
    assert width == sum(model.config.architecture.encoder.layers[0].experts)
    assert weights[step] == weights[zero] == (dim,)
    assert [attribute.i for attribute in contracted[0].attribute] == [1]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_takes_the_bundle(tmp_path: Path, model: Transformer, dialect: str) -> None:
    int8 = calibrate(model, PAIRS[:1])
    bundle = export_model(model, tmp_path, form="tensorrt", precision="int8", int8=int8)
    for path in (bundle.encoder, bundle.decoder):
        assert [x for x in lint_graph(path, dialect) if x.severity == "refusal"] == []


def test_a_value_is_rounded_once_for_all_that_read_it(tmp_path: Path, model: Transformer) -> None:
    int8 = calibrate(model, PAIRS[:1])
    bundle = export_model(model, tmp_path, form="tensorrt", precision="int8", int8=int8)
    graph = onnx.load(bundle.decoder, load_external_data=False).graph
    rounded = [x.input[0] for x in graph.node if x.op_type == "QuantizeLinear"]
    assert len(rounded) == len(set(rounded))


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_steps_and_precision_belong_together(
    tmp_path: Path, model: Transformer, precision: str
) -> None:
    int8 = None if precision == "int8" else calibrate(model, PAIRS)
    with pytest.raises(ExportError, match=r"'int8' must be what calibrate\(\) gives"):
        export_model(model, tmp_path / "b", form="tensorrt", precision=precision, int8=int8)
    assert not (tmp_path / "b").exists()


def test_what_it_cannot_calibrate_with(model: Transformer) -> None:
    with pytest.raises(ExportError, match="at least one sentence. Got none"):
        calibrate(model, [])
    steps = calibrate(model, PAIRS)
    with pytest.raises(ExportError, match="No step is known of 'decoder.9.cross.out.weight'"):
        steps("decoder.9.cross.out.weight")
    with pytest.raises(ExportError, match="at most 8 tokens. Got 9"):
        calibrate(model, PAIRS, max_positions=8)
    with torch.no_grad():
        model.encoder[0].attention.query.weight[0] = float("nan")
    with pytest.raises(ExportError, match="not finite"):
        calibrate(model, PAIRS)
