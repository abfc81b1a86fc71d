import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.small_text import write_corpus

from automoe.architecture.architecture import Architecture, Decoder, Encoder
from automoe.export import Bundle, ModelFacts, export_model
from automoe.export.card import bundle_card, in_words
from automoe.supernet import Transformer, TransformerConfig

EARLIER = Path(__file__).parents[2] / "earlier_files"
COST = {
    **{"n_sentences": 100, "n_changed": 7},
    **{"bleu": 27.04, "bleu_fp32": 27.26, "chrf": 55.0, "chrf_fp32": 55.11},
}


@pytest.fixture
def config(sparse: Architecture) -> TransformerConfig:
    return TransformerConfig(sparse, vocab_size=26, position_dim=24)


@pytest.fixture
def bundle(config: TransformerConfig, tmp_path: Path) -> Bundle:
    return Bundle(tmp_path, config, 40, has_vocabulary=True)


def result_of(config: TransformerConfig, **changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((EARLIER / "certified.json").read_text())
    return content | {"architecture_id": config.architecture.id} | changes


def test_a_card_says_what_is_known(bundle: Bundle) -> None:
    facts = ModelFacts(
        languages=("en", "de"),
        result=result_of(bundle.config),
        text="office",
        precision_cost=COST,
    )
    card = bundle_card(bundle, facts)
    assert card.startswith("# Translation from en to de\n\nA sparse Transformer with 2 encoder")
    assert "| precision | fp32, for ONNX Runtime |" in card
    assert "| longest sentence | 40 pieces |" in card
    assert "1.796 ms (95 % interval 1.789 to 1.807), certified within 2.2 ms" in card
    assert "noise=0.02,drift=0,seed=0), 4 cores, 1 thread |" in card
    assert "| this bundle |" not in card
    assert (
        "| cost of precision and shortlist | BLEU 27.0 in place of 27.3, "
        "chrF 55.0 in place of 55.1; 7 of 100 translations differ |" in card
    )
    assert "python translate.py" in card
    assert "trained on the text `office`; its licence" in card


def test_a_card_says_what_is_unknown(bundle: Bundle) -> None:
    card = bundle_card(replace(bundle, has_vocabulary=False), ModelFacts())
    assert "# Translation from a language to another one" in card
    assert "| latency | not known here |" in card
    assert "| shortlist | none |" in card
    assert "cost of precision" not in card
    assert "cannot translate" in card
    assert "translate.py" not in card
    assert "The text and its licence, and that of these weights, are not said here." in card


@pytest.mark.parametrize(("precision", "n_best"), [("int8", 0), ("fp32", 9)])
def test_the_latency_of_other_graphs_is_not_claimed(
    bundle: Bundle, precision: str, n_best: int
) -> None:
    other = replace(bundle, precision=precision, n_best=n_best)
    card = bundle_card(other, ModelFacts(result=result_of(bundle.config)))
    told = "the latency is that of graphs for ONNX Runtime in fp32 without a shortlist"
    assert f"| this bundle | was not timed: {told} |" in card


@pytest.mark.parametrize(
    ("runtime", "form", "is_told"),
    [
        ("onnxruntime 1.32.0", "tensorrt", True),
        ("tensorrt 10.1", "tensorrt", False),
        ("tensorrt-rtx 1.2", "tensorrt", False),
        ("tensorrt 10.1", "onnx", True),
    ],
)
def test_the_latency_of_another_runtime_is_not_claimed(
    bundle: Bundle, runtime: str, form: str, is_told: bool
) -> None:
    result = result_of(bundle.config, predicted_on={"runtime": runtime, "threads": "1"})
    card = bundle_card(replace(bundle, form=form), ModelFacts(result=result))
    other = "ONNX Runtime" if form == "tensorrt" else "TensorRT"
    row = f"| this bundle | was not timed: the latency is that of graphs for {other} in fp32"
    assert (row in card) == is_told
    assert ("this bundle" in card) == is_told


def test_a_dense_model_is_said_to_be_dense(sparse: Architecture) -> None:
    dense = Architecture(
        Encoder(24, sparse.encoder.layers[1:]), Decoder(20, sparse.decoder.layers[1:]), qkv_dim=16
    )
    assert in_words(dense) == (
        "A dense Transformer with 1 encoder layer of width 24 and 1 decoder layer of width 20."
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture_id": "0123456789ab"}, "is of architecture 0123456789ab, and the model is"),
        ({"latency_ms": {}}, "is not what 'automoe search' writes"),
        ({"workload": "a picture"}, "is not what 'automoe search' writes"),
        ({"predicted_on": "here"}, "is not what 'automoe search' writes .* or search again"),
    ],
)
def test_a_result_that_does_not_fit_is_refused_before_anything_is_written(
    config: TransformerConfig, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    facts = ModelFacts(result=result_of(config, **changes))
    with pytest.raises(ValueError, match=message):
        export_model(Transformer(config).eval(), tmp_path / "bundle", facts=facts)
    assert not (tmp_path / "bundle").exists()


def test_the_same_model_gives_the_same_bytes(config: TransformerConfig, tmp_path: Path) -> None:
    model = Transformer(config, seed=1).eval()
    corpus = write_corpus(tmp_path / "office")
    facts = ModelFacts.trained_on(corpus, result=result_of(config))
    contents = []
    for name in ("one", "two"):
        folder = export_model(model, tmp_path / name, facts=facts).folder
        contents.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert contents[0] == contents[1]
    described = json.loads(contents[0]["bundle.json"])
    assert (described["languages"], described["text"]) == (["en", "de"], "office")
    assert described["searched"]["threads"] == "1"
    assert described["searched"]["runtime"] == "SIMULATED roofline 1"
    assert set(described["files"]) == contents[0].keys() - {"bundle.json"}
