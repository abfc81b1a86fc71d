"""This module writes a trained model as a folder for a hub of models, with its model card.

The folder has the layout that Hugging Face expects: README.md, config.json and model.safetensors.
It holds nothing of the training: no checkpoint, no tracker's files, no path of a text.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from automoe import __version__
from automoe.export import ONNX, check_parity, export_model
from automoe.export.card import (
    CARD,
    NOTHING_KNOWN,
    ModelFacts,
    in_words,
    of_model,
    of_search,
    table,
)
from automoe.training.model_folder import TrainedModel
from devices.files import replacing, write_json

CONFIG = "config.json"
_TAGS = ("automoe", "mixture-of-experts", "neural-architecture-search", "onnx")
_CARD = """---
{head}
---
# {name}

{words} It translates from {source} to {target} and was made with AutoMoE {version}.

| | |
|---|---|
{table}

## Use

```bash
automoe translate {name} < input.txt
```

```python
import automoe

model = automoe.load("{name}")  # weights as a torch module, and the vocabulary
translator = automoe.Translator.open("{name}")  # the ONNX graphs
print(translator.translate("A sentence.").text)
```

`onnx` has the graphs of the encoder and of one decoder step, which need ONNX Runtime only.

## Training text and licence

Not said. Name the text, its licence and that of these weights here, and `license` above, before
you publish.
"""


def publish_model(
    trained: TrainedModel,
    folder: Path,
    *,
    facts: ModelFacts = NOTHING_KNOWN,
    max_positions: int = 256,
) -> None:
    """Write a model with its card and its ONNX graphs. ``automoe.load`` reads the folder.

    Args:
        trained: A stand-alone model.
        folder: The folder to write. Files of these names are replaced.
        facts: What the card says.
        max_positions: The length of the longest sentence of the graphs, in tokens.

    Raises:
        ValueError: The model is a supernet, or the search's result or the evaluation is not one or
            is of another architecture.
        ExportError: The graphs do not compute what the model computes.
    """
    config = trained.model.config
    if trained.space is not None:
        raise ValueError("A supernet is not published. Finetune one of its architectures first.")
    card = model_card(trained, facts, name=folder.resolve().name)
    bundle = export_model(
        trained.model,
        folder / ONNX,
        vocabulary=trained.vocabulary,
        max_positions=max_positions,
        facts=facts,
    )
    check_parity(trained.model, bundle)
    trained.save(folder)
    write_json(folder / CONFIG, {"model_type": "automoe", **config.to_dict()})
    with replacing(folder / CARD) as complete:
        complete.write_text(card, encoding="utf-8")


def model_card(trained: TrainedModel, facts: ModelFacts, *, name: str) -> str:
    """Return the model card, Markdown below a head of YAML.

    Args:
        trained: The model.
        facts: What is known of it.
        name: The name of the model.

    Raises:
        ValueError: The search's result or the evaluation is not one or is of another architecture.
    """
    config = trained.model.config
    facts.require_about(config.architecture)
    rows = {**of_model(config), **of_search(facts.result)}
    try:
        rows |= _quality(facts.evaluation)
        head = _head(facts, name)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"The evaluation is not what 'automoe evaluate --json' writes ({error!r:.80}). "
            "Evaluate the model again."
        ) from None
    source, target = facts.source_and_target
    return _CARD.format(
        head=head,
        name=name,
        words=in_words(config.architecture),
        source=source,
        target=target,
        version=__version__,
        table=table(rows),
    )


def _head(facts: ModelFacts, name: str) -> str:
    lines = ["library_name: automoe", "pipeline_tag: translation"]
    if facts.languages is not None:
        lines += ["language:", *(f"- {_quoted(language)}" for language in facts.languages)]
    lines += ["tags:", *(f"- {tag}" for tag in _TAGS)]
    if facts.evaluation is not None and "split" in facts.evaluation:
        dataset = _quoted(f"{facts.evaluation['split']} split")
        lines += [
            *("model-index:", f"- name: {_quoted(name)}", "  results:"),
            *("  - task: {type: translation}", f"    dataset: {{name: {dataset}, type: text}}"),
            f"    metrics: [{{type: bleu, value: {float(facts.evaluation['bleu']):.1f}}}]",
        ]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    """Return a text as YAML. A language such as `no` would be a truth value without quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _quality(evaluation: Mapping[str, Any] | None) -> dict[str, str]:
    if evaluation is None:
        return {"BLEU": "not known here"}
    n, signature = int(evaluation["n_sentences"]), evaluation["bleu_signature"]
    of = f" of the {evaluation['split']} split" if "split" in evaluation else ""
    return {"BLEU": f"{float(evaluation['bleu']):.1f} on {n} sentences{of} (`{signature}`)"}
