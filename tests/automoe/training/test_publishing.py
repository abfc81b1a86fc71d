import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import automoe
from automoe.architecture.space import SearchSpace
from automoe.export import ModelFacts
from automoe.supernet import Transformer, TransformerConfig
from automoe.text import Corpus, Vocabulary
from automoe.training.model_folder import TrainedModel
from automoe.training.publishing import model_card, publish_model

EARLIER = Path(__file__).parents[2] / "earlier_files"
SIGNATURE = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"


@pytest.fixture
def trained(space: SearchSpace, corpus: Corpus, tmp_path: Path) -> TrainedModel:
    vocabulary = Vocabulary.train(corpus, size=40, model_path=tmp_path / "v.model")
    config = TransformerConfig.of(space.largest(), vocab_size=40)
    return TrainedModel(Transformer(config, seed=3).eval(), vocabulary)


def result_of(trained: TrainedModel, **latency: Any) -> dict[str, Any]:
    content = json.loads((EARLIER / "certified.json").read_text())
    content["architecture_id"] = trained.model.config.architecture.id
    return content | {"latency_ms": content["latency_ms"] | latency}


def test_a_published_model_comes_back(trained: TrainedModel, tmp_path: Path) -> None:
    publish_model(trained, tmp_path / "hub", facts=ModelFacts(languages=("en", "no")))
    files = {str(path.relative_to(tmp_path / "hub")) for path in (tmp_path / "hub").rglob("*")}
    own = {"README.md", "config.json", "model.json", "model.safetensors", "vocabulary.model"}
    graphs = ("README.md", "bundle.json", "decoder.onnx", "encoder.onnx", "translate.py")
    graphs += ("vocabulary.model", "weights.bin")
    assert files == own | {"onnx"} | {f"onnx/{name}" for name in graphs}
    loaded = automoe.load(str(tmp_path / "hub"))
    for name, weight in trained.model.state_dict().items():
        assert torch.equal(weight, loaded.model.state_dict()[name])
    config = json.loads((tmp_path / "hub/config.json").read_text())
    assert config.pop("model_type") == "automoe"
    assert TransformerConfig.from_dict(config) == trained.model.config
    translator = automoe.Translator.open(tmp_path / "hub")
    assert translator.translate("The house is red.").source_tokens > 1
    assert str(tmp_path) not in (tmp_path / "hub/README.md").read_text()


def test_the_card_says_what_is_known(trained: TrainedModel) -> None:
    evaluation = {
        "bleu": 11.249,
        "bleu_signature": SIGNATURE,
        "n_sentences": 1318,
        "split": "valid",
    }
    facts = ModelFacts(languages=("en", "no"), result=result_of(trained), evaluation=evaluation)
    card = model_card(trained, facts, name="my-model")
    _, head, text = card.split("---\n", 2)
    described = yaml.safe_load(head)
    assert described["language"] == ["en", "no"]  # not False, as YAML reads `no`
    assert described["pipeline_tag"] == "translation"
    (measured,) = described["model-index"][0]["results"]
    assert measured["metrics"] == [{"type": "bleu", "value": 11.2}]
    assert measured["dataset"] == {"name": "valid split", "type": "text"}
    (row,) = re.findall(r"^\| BLEU .*$", text, flags=re.M)
    assert len(re.findall(r"(?<!\\)\|", row)) == 3  # two cells
    assert row.replace("\\|", "|") == (
        f"| BLEU | 11.2 on 1318 sentences of the valid split (`{SIGNATURE}`) |"
    )
    assert "1.796 ms (95 % interval 1.789 to 1.807), certified within 2.2 ms" in text
    assert "SIMULATED roofline" in text
    n_weights = sum(weight.numel() for weight in trained.model.parameters())
    assert f"| weights | {n_weights:,}, of them" in text
    assert "Not said." in text


def test_the_card_says_what_is_unknown(trained: TrainedModel) -> None:
    card = model_card(trained, ModelFacts(), name="my-model")
    assert "| latency | not known here |" in card
    assert "| BLEU | not known here |" in card
    assert "language:" not in card
    assert "model-index" not in card


def test_a_score_on_an_unknown_split_is_not_claimed_for_one(trained: TrainedModel) -> None:
    evaluation = {"bleu": 11.249, "bleu_signature": "s", "n_sentences": 1318}
    card = model_card(trained, ModelFacts(evaluation=evaluation), name="my-model")
    assert "| BLEU | 11.2 on 1318 sentences (`s`) |" in card
    assert "model-index" not in card
    assert " split" not in card


def test_what_was_only_predicted_is_not_called_measured(trained: TrainedModel) -> None:
    result = result_of(trained, measured=None, upper=1.8030887)
    card = model_card(trained, ModelFacts(result=result), name="m")
    assert "predicted to be at most 1.804 ms" in card
    assert "never measured" in card
    assert "measured on" not in card


@pytest.mark.parametrize("kind", ["result", "evaluation"])
def test_figures_of_another_architecture_are_refused(trained: TrainedModel, kind: str) -> None:
    facts = ModelFacts(**{kind: {"architecture_id": "0123456789ab"}})
    with pytest.raises(ValueError, match=r"is of architecture 0123456789ab, and the model is"):
        model_card(trained, facts, name="m")


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (ModelFacts(evaluation={"bleu": "high"}), "evaluation is not what 'automoe evaluate --jso"),
        (ModelFacts(result={"latency_ms": {}}), "result is not what 'automoe search' writes"),
    ],
)
def test_figures_that_are_none_are_refused(
    trained: TrainedModel, facts: ModelFacts, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        model_card(trained, facts, name="m")


def test_a_supernet_is_not_published(
    trained: TrainedModel, space: SearchSpace, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="A supernet is not published"):
        publish_model(replace(trained, space=space), tmp_path / "hub")
    assert not (tmp_path / "hub").exists()


def test_a_model_shows_itself(trained: TrainedModel) -> None:
    assert trained.model.config.architecture.id in repr(trained)
    assert "40 pieces" in repr(trained)
