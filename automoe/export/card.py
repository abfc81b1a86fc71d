"""This module writes in plain words what is known of a model: the card of a bundle, and its table.

The same model and facts give the same text, so that the checksum of a card is that of what it says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from automoe import __version__
from automoe.architecture.architecture import Architecture, DecoderLayer, EncoderLayer
from automoe.architecture.cost import Cost, cost
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.supernet import TransformerConfig
from automoe.text import Corpus
from devices.rounding import counted, rounded, rounded_down, rounded_up

if TYPE_CHECKING:
    from automoe.export.bundle import Bundle

CARD = "README.md"
_RUNTIMES = {"onnx": "ONNX Runtime", "tensorrt": "TensorRT"}  # by the form of graphs
_SENTENCE = 30  # source and target tokens of the costs, as in the presets
_CARD = """# Translation from {source} to {target}

{words} These are its ONNX graphs with their weights, made with AutoMoE {version}.

| | |
|---|---|
{table}

## Use

{use}

## Files

`bundle.json` describes the model and has the number of bytes and the SHA-256 of every other file,
this one included. AutoMoE and the folder's own program compare them before they load a file, and
refuse one that was altered. Other programs that open the graphs do not.

## Training text and licence

{text} Ask who gave you the model before you pass it on.
"""
_USE = """It needs Python 3.10 or newer and three packages. In this folder:

```bash
pip install numpy onnxruntime sentencepiece
echo "A sentence." | python translate.py
```"""
_NO_USE = "The folder has no vocabulary, so it is there to be timed and cannot translate."


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What a card says beside the model itself. What is unknown is said to be unknown.

    Attributes:
        languages: The source and the target language; None when they are unknown.
        result: The content of a search's result for this architecture; None without one.
        evaluation: The content that ``automoe evaluate --json`` prints; None without one.
        text: The name of the text that the model was trained on; None when it is unknown.
        precision_cost: What precision and shortlist cost, see `PrecisionCost`; None when it was not
            measured.
    """

    languages: tuple[str, str] | None = None
    result: Mapping[str, Any] | None = None
    evaluation: Mapping[str, Any] | None = None
    text: str | None = None
    precision_cost: Mapping[str, Any] | None = None

    @classmethod
    def trained_on(
        cls, corpus: Corpus | None, *, result: Mapping[str, Any] | None = None
    ) -> "ModelFacts":
        """Return what is known of a model with its text, or None for an unknown one."""
        if corpus is None:
            return cls(result=result)
        text = corpus.folder.resolve().name
        return cls(languages=corpus.languages, text=text, result=result)

    @property
    def source_and_target(self) -> tuple[str, str]:
        """The languages, in words where they are unknown."""
        return self.languages or ("a language", "another one")

    def require_about(self, architecture: Architecture) -> None:
        """Check that the facts are about an architecture, and that its search can be told of.

        Raises:
            ValueError: They are about another one, or the search's result is not one.
        """
        for content, what in ((self.result, "search"), (self.evaluation, "evaluation")):
            of = (content or {}).get("architecture_id", architecture.id)
            if of != architecture.id:
                raise ValueError(
                    f"The {what} is of architecture {of}, and the model is {architecture.id}."
                )
        of_search(self.result)


NOTHING_KNOWN = ModelFacts()


def bundle_card(bundle: "Bundle", facts: ModelFacts) -> str:
    """Return the card of a bundle, in Markdown.

    Raises:
        ValueError: The search's result is not one or is of another architecture.
    """
    facts.require_about(bundle.config.architecture)
    rows = {
        **of_model(bundle.config),
        **_of_bundle(bundle),
        **of_search(facts.result, bundle),
        **_cost(facts.precision_cost),
    }
    source, target = facts.source_and_target
    text = f"It was trained on the text `{facts.text}`; its" if facts.text else "The text and its"
    return _CARD.format(
        source=source,
        target=target,
        words=in_words(bundle.config.architecture),
        version=__version__,
        table=table(rows),
        use=_USE if bundle.has_vocabulary else _NO_USE,
        text=f"{text} licence, and that of these weights, are not said here.",
    )


def in_words(architecture: Architecture) -> str:
    """Return a sentence about an architecture."""
    encoder, decoder = architecture.encoder, architecture.decoder
    layers = (*encoder.layers, *decoder.layers)
    n_sparse = sum(layer.is_sparse for layer in layers)
    experts = f"; in {n_sparse} of the layers a token goes to one of several experts"
    return (
        f"A {'sparse' if n_sparse else 'dense'} Transformer with "
        f"{counted(len(encoder.layers), 'encoder layer')} of width {encoder.embed_dim} and "
        f"{counted(len(decoder.layers), 'decoder layer')} of width {decoder.embed_dim}"
        f"{experts if n_sparse else ''}."
    )


def table(rows: Mapping[str, str]) -> str:
    """Return the rows of a table. The signature of sacreBLEU has bars, which would end a cell."""
    cells = ((row, text.replace("|", "\\|")) for row, text in rows.items())
    return "\n".join(f"| {row} | {text} |" for row, text in cells)


def cost_of(config: TransformerConfig) -> Cost:
    """Return the cost of a model for a sentence of 30 source and 30 target tokens."""
    return cost(
        config.architecture,
        src_len=_SENTENCE,
        tgt_len=_SENTENCE,
        vocab_size=config.vocab_size,
        shared_embeddings=config.shared_embeddings,
    )


def of_model(config: TransformerConfig) -> dict[str, str]:
    """Return the rows about a model's shape."""
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


def _of_bundle(bundle: "Bundle") -> dict[str, str]:
    runtime = _RUNTIMES[bundle.form]
    if bundle.form == "tensorrt":
        runtime += ", see `tensorrt.json`"
    n = bundle.n_best
    shortlist = f"{n} target pieces for each source piece, and {n} frequent ones" if n else "none"
    return {
        "precision": f"{bundle.precision}, for {runtime}",
        "shortlist": shortlist,
        "longest sentence": f"{bundle.max_positions} pieces",
    }


def of_search(result: Mapping[str, Any] | None, bundle: "Bundle | None" = None) -> dict[str, str]:
    """Return the rows about a search's latency, and whether it is that of a bundle's graphs.

    Raises:
        ValueError: The result is not one.
    """
    if result is None or "latency_ms" not in result:
        return {"latency": "not known here"}
    try:
        timed = TranslationWorkload.parse(result["workload"])
        return _latency(result) | ({} if bundle is None else _other_graphs(result, timed, bundle))
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"The search's result is not what 'automoe search' writes ({error!r:.80}). "
            "Give the architecture alone, or search again."
        ) from None


def _latency(result: Mapping[str, Any]) -> dict[str, str]:
    latency_ms, budget = result["latency_ms"], float(result["budget_ms"])
    where = f"for `{result['workload']}`"
    if latency_ms["measured"] is None:
        upper = rounded_up(float(latency_ms["upper"]))
        return {"latency": f"predicted to be at most {upper} ms {where}; never measured"}
    low, high = rounded_down(float(latency_ms["ci_low"])), rounded_up(float(latency_ms["ci_high"]))
    verdict = "certified within" if result["certified"] else "not certified within"
    device, flags = result["device"], ", ".join(latency_ms["flags"])
    measured = f"{rounded(float(latency_ms['measured']))} ms (95 % interval {low} to {high})"
    return {
        "latency": f"{measured}, {verdict} {rounded_up(budget)} ms, {where}"
        + (f"; flags: {flags}" if flags else ""),
        "measured on": f"{device['model']}, {counted(int(device['cores']), 'core')}"
        + (
            f", {counted(int(threads), 'thread')}"
            if (threads := timed_with(result, "threads"))
            else ""
        ),
    }


def timed_with(result: Mapping[str, Any], name: str) -> str | None:
    """Return the runtime or the threads of a search's latency, from its result or a description."""
    told = result.get(name) or (result.get("predicted_on") or {}).get(name)
    return None if told is None else str(told)


def _other_graphs(
    result: Mapping[str, Any], timed: TranslationWorkload, bundle: "Bundle"
) -> dict[str, str]:
    """Return a row that says that the latency is that of other graphs, if it is."""
    is_tensorrt = (timed_with(result, "runtime") or "").startswith("tensorrt")
    form = "tensorrt" if is_tensorrt else "onnx"
    graphs = (form, timed.precision, timed.shortlist > 0)
    if graphs == (bundle.form, bundle.precision, bundle.n_best > 0):
        return {}
    shortlist = "with" if timed.shortlist else "without"
    told = f"{_RUNTIMES[form]} in {timed.precision} {shortlist} a shortlist"
    return {"this bundle": f"was not timed: the latency is that of graphs for {told}"}


def _cost(told: Mapping[str, Any] | None) -> dict[str, str]:
    if told is None:
        return {}
    return {
        "cost of precision and shortlist": f"BLEU {told['bleu']:.1f} in place of "
        f"{told['bleu_fp32']:.1f}, chrF {told['chrf']:.1f} in place of {told['chrf_fp32']:.1f}; "
        f"{told['n_changed']} of {told['n_sentences']} translations differ"
    }
