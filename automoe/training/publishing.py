"""This module writes a trained model as a folder for a hub of models, with its model card.

The folder has the layout that Hugging Face expects: README.md, config.json and model.safetensors.
It holds nothing of the training: no checkpoint, no tracker's files, no path of a text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automoe import __version__
from automoe.architecture.architecture import DecoderLayer, EncoderLayer
from automoe.export import ONNX, check_parity, export_model
from automoe.export.bundle import cost_of
from automoe.training.model_folder import TrainedModel
from devices.files import replacing, write_json
from devices.rounding import rounded, rounded_down, rounded_up

CARD = "README.md"
CONFIG = "config.json"
_TAGS = ("automoe", "mixture-of-experts", "neural-architecture-search", "onnx")
_CARD = """---
{head}
---
# {name}

A sparse Transformer that translates from {source} to {target}, made with AutoMoE {version}.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What a model card says beside the model itself. What is unknown is said to be unknown.

    Attributes:
        languages: The source and the target language; None when they are unknown.
        result: The content of a search's result for this architecture; None without one.
        evaluation: The content that ``automoe evaluate --json`` prints; None without one.
    """

    languages: tuple[str, str] | None = None
    result: Mapping[str, Any] | None = None
    evaluation: Mapping[str, Any] | None = None


def publish_model(
    trained: TrainedModel,
    folder: Path,
    *,
    facts: ModelFacts = ModelFacts(),
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
        trained.model, folder / ONNX, vocabulary=trained.vocabulary, max_positions=max_positions
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
    own = trained.model.config.architecture.id
    for content, what in ((facts.result, "search"), (facts.evaluation, "evaluation")):
        of = (content or {}).get("architecture_id", own)
        if of != own:
            raise ValueError(f"The {what} is of architecture {of}, and the model is {own}.")
    try:
        rows = {**_of_model(trained), **_latency(facts.result), **_quality(facts.evaluation)}
        head = _head(facts, name)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"The search's result or the evaluation is not what 'automoe search' and 'automoe "
            f"evaluate --json' write ({error!r:.80})."
        ) from None
    source, target = facts.languages or ("a language", "another one")
    return _CARD.format(
        head=head,
        name=name,
        source=source,
        target=target,
        version=__version__,
        table="\n".join(f"| {row} | {_in_table(text)} |" for row, text in rows.items()),
    )


def _in_table(text: str) -> str:
    """Return the text of a cell. The signature of sacreBLEU has bars, which would end the cell."""
    return text.replace("|", "\\|")


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


def _of_model(trained: TrainedModel) -> dict[str, str]:
    config = trained.model.config
    shape = config.architecture
    costs = cost_of(config)
    return {
        "architecture": f"`{shape.id}`",
        "weights": f"{costs.params + costs.embedding_params:,}, of them {costs.embedding_params:,} "
        f"in embeddings; a token uses {costs.active_params:,.0f} of the others",
        "experts of the encoder's layers": _experts(shape.encoder.layers),
        "experts of the decoder's layers": _experts(shape.decoder.layers),
        "vocabulary": f"{config.vocab_size:,} pieces",
    }


def _experts(layers: tuple[EncoderLayer, ...] | tuple[DecoderLayer, ...]) -> str:
    """Return the widths of the experts of each layer: `3072 2048, 1024`."""
    return ", ".join(" ".join(map(str, layer.experts)) for layer in layers)


def _latency(result: Mapping[str, Any] | None) -> dict[str, str]:
    if result is None or "latency_ms" not in result:
        return {"latency": "not known here"}
    latency, budget = result["latency_ms"], float(result["budget_ms"])
    where = f"for `{result['workload']}`"
    if latency["measured"] is None:
        upper = rounded_up(float(latency["upper"]))
        return {"latency": f"predicted to be at most {upper} ms {where}; never measured"}
    low, high = rounded_down(float(latency["ci_low"])), rounded_up(float(latency["ci_high"]))
    verdict = "certified within" if result["certified"] else "not certified within"
    device, flags = result["device"], ", ".join(latency["flags"])
    measured = f"{rounded(float(latency['measured']))} ms (95 % interval {low} to {high})"
    return {
        "latency": f"{measured}, {verdict} {budget:g} ms, {where}"
        + (f"; flags: {flags}" if flags else ""),
        "measured on": f"{device['model']}, {device['cores']} cores",
    }


def _quality(evaluation: Mapping[str, Any] | None) -> dict[str, str]:
    if evaluation is None:
        return {"BLEU": "not known here"}
    n, signature = int(evaluation["n_sentences"]), evaluation["bleu_signature"]
    of = f" of the {evaluation['split']} split" if "split" in evaluation else ""
    return {"BLEU": f"{float(evaluation['bleu']):.1f} on {n} sentences{of} (`{signature}`)"}
