from pathlib import Path
from random import Random

import onnx
import pytest
import torch
from support.models import randomise_norms

from automoe.architecture.space import SearchSpace
from automoe.architecture.space_files import PRESETS
from automoe.deployed.description import BundleError, Description
from automoe.export import ExportError, check_parity, export_model
from automoe.supernet import Transformer, TransformerConfig, extract


def sparse_subnet(space: SearchSpace, seed: int, **changes: object) -> Transformer:
    rng = Random(seed)
    drawn = (space.sample(rng) for _ in range(200))
    architecture = next(
        a
        for a in drawn
        if a.decoder.layers[0].is_sparse and any(x.is_sparse for x in a.encoder.layers)
    )
    config = TransformerConfig.for_space(space, vocab_size=60, dropout=0.0, **changes)
    supernet = Transformer(config, seed=seed).eval()
    randomise_norms(supernet, torch.Generator().manual_seed(seed))
    return extract(supernet, architecture)


@pytest.mark.parametrize("seed", range(4))
def test_exported_graphs_agree_with_torch(tmp_path: Path, seed: int) -> None:
    model = sparse_subnet(SearchSpace.preset("tiny", max_experts=4, fractional=True), seed)
    parity = check_parity(model, export_model(model, tmp_path), seed=seed)
    assert parity.max_difference < 1e-4
    assert parity.n_choices >= 9 + 7
    assert parity.n_different_choices == 0


@pytest.mark.parametrize("changes", [{"pre_norm": True}, {"shared_embeddings": False}])
def test_options_agree_with_torch(tmp_path: Path, changes: dict[str, object]) -> None:
    space = SearchSpace.preset("tiny", max_experts=3, fractional=True)
    model = sparse_subnet(space, 1, **changes)
    assert check_parity(model, export_model(model, tmp_path)).max_difference < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in PRESETS if name != "tiny"])
def test_every_preset_agrees_with_torch(tmp_path: Path, name: str) -> None:
    model = sparse_subnet(SearchSpace.preset(name, max_experts=3, fractional=True), 0)
    assert check_parity(model, export_model(model, tmp_path)).holds


def test_graphs_pass_the_onnx_checker(tmp_path: Path) -> None:
    bundle = export_model(sparse_subnet(SearchSpace.preset("tiny", max_experts=4), 0), tmp_path)
    for path in (bundle.encoder, bundle.decoder):
        onnx.checker.check_model(str(path), full_check=True)


def test_a_wrong_weight_is_found(tmp_path: Path) -> None:
    model = sparse_subnet(SearchSpace.preset("tiny", max_experts=4), 0)
    bundle = export_model(model, tmp_path)
    with torch.no_grad():
        model.decoder[0].cross.out.weight[0] += 1.0
    with pytest.raises(ExportError, match="differ from torch: logits by .* Do not use them"):
        check_parity(model, bundle)
    with pytest.raises(BundleError, match="No exported model in"):
        Description.read(tmp_path)


def test_several_experts_per_token_are_refused(tmp_path: Path) -> None:
    model = sparse_subnet(SearchSpace.preset("tiny", max_experts=4), 0, top_k=2)
    with pytest.raises(ExportError, match="'top_k' must be 1 to export. Got 2"):
        export_model(model, tmp_path)


def test_a_bundle_describes_itself(tmp_path: Path) -> None:
    model = sparse_subnet(SearchSpace.preset("tiny", max_experts=4), 0)
    export_model(model, tmp_path, max_positions=50)
    description = Description.read(tmp_path)
    assert description.architecture_id == model.config.architecture.id
    assert (description.max_positions, description.vocab_size) == (50, 60)
    graphs = {"encoder.onnx", "decoder.onnx", "weights.bin"}
    assert set(description.files) == graphs | {"translate.py", "README.md"}
    description.check_files(tmp_path)
