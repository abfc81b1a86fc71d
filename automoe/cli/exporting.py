"""Carry out ``automoe export``."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from shutil import copyfile
from statistics import mean
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from pydantic import Field

from automoe.architecture.architecture_files import read_architecture
from automoe.cli.console import print_fields, print_json, progress_bar, say
from automoe.cli.known_facts import json_with
from automoe.cli.options import FOLDER, JsonOptions, OutFolder, argument, typed
from automoe.cli.outputs import require_folder, require_writable
from automoe.cli.refusals import Refusal, refuse
from automoe.cli.text_options import DIRECTION_NEEDS_DATA, TextOptions, model_text
from automoe.model_files import CORPUS
from automoe.settings.search import MOST, Count

if TYPE_CHECKING:
    from automoe.architecture.architecture import Architecture
    from automoe.deployed.shortlist import Shortlist
    from automoe.export import ModelFacts
    from automoe.export.bundle import Bundle
    from automoe.export.graph import Int8Steps
    from automoe.supernet import Transformer
    from automoe.text import Corpus, Pair, Vocabulary

# Sentences to check integers with, and to calibrate with: more sentences hardly change the result.
_N_CHECKED, _N_CALIBRATED = 8, 64
_N_TRANSLATED = 100  # to tell what a precision costs in BLEU
_SHORTLIST_NEEDS_WEIGHTS = Refusal(options=("--shortlist",), without=("--checkpoint",))
_HUGGINGFACE = "huggingface"
_EVALUATION = "evaluation.json"  # beside the weights, as `automoe run` writes it
_PARITY = ("max_difference", "median_difference", "spread", "n_choices", "n_different_choices")


class ExportOptions(TextOptions, JsonOptions):
    """The weights and the form of the bundle.

    Attributes:
        out: Folder of the bundle.
        checkpoint: Folder of the model or supernet that gives the weights.
        form: Form of the graphs: onnx or tensorrt; huggingface: a model folder with its card.
        precision: Number format: fp32, int8, int8-weights or int4-weights; for tensorrt fp32, fp16
            or int8.
        data: Corpus for the shortlist, and to calibrate and judge with; default: the model's.
        shortlist: Predict only so many likely target pieces of each source piece, and as many
            frequent ones; learned from the train split. Default: all pieces.
        vocab_size: Pieces of the vocabulary, without --checkpoint.
        max_positions: Tokens of the longest sentence.
    """

    out: OutFolder
    checkpoint: Annotated[Path | None, FOLDER] = None
    form: Annotated[str, Parameter(name="--format")] = "onnx"
    precision: str = "fp32"
    shortlist: Count | None = None
    vocab_size: Annotated[int, Field(ge=5, le=MOST)] = 32768
    max_positions: Annotated[int, Field(ge=10, le=MOST)] = 256


def export(
    architecture: Annotated[Path, argument("Architecture or search result.")],
    /,
    *,
    options: ExportOptions,
) -> None:
    """Write the graphs to deploy, and check outputs and expert choices against torch."""
    wanted = read_architecture(architecture)
    require_folder(options.checkpoint)
    # torch takes seconds to import
    from automoe.export import check_parity, export_model, require_precision

    if options.form == _HUGGINGFACE:
        _publish(wanted, architecture, options)
        return
    is_shortlisted = options.shortlist is not None
    require_precision(options.form, options.precision, is_shortlisted=is_shortlisted)
    refuse([DIRECTION_NEEDS_DATA], typed(options))
    if options.data is not None and (not _is_inexact(options) or options.checkpoint is None):
        raise ValueError(
            "'--data' is the text for '--shortlist' or a '--precision' other than fp32 of trained "
            f"weights, '--checkpoint'. Got '{options.data}' with {options.precision} and "
            f"checkpoint {options.checkpoint}; leave it out."
        )
    refuse([_SHORTLIST_NEEDS_WEIGHTS], typed(options))
    if options.checkpoint is None:
        say("Without --checkpoint the weights are random: time this model, do not use it.")
        model, vocabulary = _random(wanted, options.vocab_size), None
    else:
        model, vocabulary = _trained(wanted, options.checkpoint)
    corpus = _judging_text(options)
    facts = _facts(architecture, options.checkpoint)
    facts.require_about(wanted)
    int8, pairs = _calibrated(model, vocabulary, corpus, options)
    shortlist = _shortlist(vocabulary, corpus, options)
    bundle = export_model(
        model,
        options.out,
        vocabulary=vocabulary,
        max_positions=options.max_positions,
        form=options.form,
        precision=options.precision,
        int8=int8,
        shortlist=shortlist,
        facts=facts,
    )
    parity = check_parity(model, bundle, pairs=pairs)
    quality = _quality(model, vocabulary, bundle, corpus)
    saved = _save_text(options.checkpoint, options.out)
    bundle.describe(replace(facts, precision_cost=quality), also=saved)
    content = {
        "folder": str(options.out),
        "architecture_id": wanted.id,
        "format": options.form,
        "precision": options.precision,
        **{name: getattr(parity, name) for name in _PARITY},
        **_n_candidates(shortlist, vocabulary, corpus),
        **(quality or {}),
    }
    print_json(content) if options.as_json else print_fields(content)


def _publish(wanted: "Architecture", source: Path, options: ExportOptions) -> None:
    """Write the folder of a trained model for a hub, with what is known about the model.

    Raises:
        ValueError: The weights are missing, an option does not suit, or the search or the
            evaluation is of another architecture.
    """
    from automoe.export.card import CARD, ModelFacts
    from automoe.training.model_folder import TrainedModel
    from automoe.training.publishing import publish_model
    from automoe.training.supernet_run import named_corpus

    others = typed(options).keys() & {"--data", "--source", "--target", "--vocab-size"}
    if options.checkpoint is None or _is_inexact(options) or others:
        raise ValueError(
            "'--format huggingface' needs the trained weights, '--checkpoint MODEL', and takes no "
            "'--precision', '--shortlist', '--data', '--source', '--target' or '--vocab-size'. "
            "Correct that."
        )
    require_writable(options.out / CARD, options.checkpoint)
    own, vocabulary = _trained(wanted, options.checkpoint)
    corpus = named_corpus(options.checkpoint)
    facts = ModelFacts(
        languages=None if corpus is None else corpus.languages,
        result=json_with(source, "certified"),
        evaluation=json_with(options.checkpoint / _EVALUATION, "bleu"),
    )
    model = TrainedModel(own, vocabulary)
    publish_model(model, options.out, facts=facts, max_positions=options.max_positions)
    content = {"folder": str(options.out), "architecture_id": wanted.id, "format": options.form}
    print_json(content) if options.as_json else print_fields(content)
    say(f"Complete {options.out / CARD} before you publish: the training text and the licence.")


def _judging_text(options: ExportOptions) -> "Corpus | None":
    """Return the text that judges a precision; None when nothing is judged, or no text is known.

    Raises:
        FileNotFoundError: Calibrating needs a text, and the checkpoint does not name one.
    """
    from automoe.text import CorpusError

    if not _is_inexact(options) or options.checkpoint is None:
        return None
    is_needed = options.shortlist is not None or _is_calibrated(options)
    is_known = (options.checkpoint / CORPUS).is_file()
    if is_needed or options.data is not None:
        return model_text(options.checkpoint, options)
    reason = "give a text with --data."
    if is_known:
        try:
            return model_text(options.checkpoint, options)
        except CorpusError as error:
            reason = str(error)
    say(f"What {options.precision} costs in BLEU is not told: {reason}")
    return None


def _is_inexact(options: ExportOptions) -> bool:
    return options.precision != "fp32" or options.shortlist is not None


def _shortlist(
    vocabulary: "Vocabulary | None", corpus: "Corpus | None", options: ExportOptions
) -> "Shortlist | None":
    """Return the shortlist that the train split teaches, if one is asked for."""
    if options.shortlist is None or vocabulary is None or corpus is None:
        return None
    from automoe.deployed.shortlist import Shortlist
    from automoe.text import encode_pairs
    from automoe.text.lexicon import best_translations, most_frequent

    train = encode_pairs(corpus.split("train"), vocabulary, max_tokens=options.max_positions)
    size = vocabulary.size
    n_best = min(options.shortlist, size)
    return Shortlist(
        best_translations(train.pairs, n_best=n_best, vocab_size=size),
        most_frequent(train.pairs, n=n_best, vocab_size=size),
    )


def _n_candidates(
    shortlist: "Shortlist | None", vocabulary: "Vocabulary | None", corpus: "Corpus | None"
) -> "dict[str, int]":
    """Return how many candidates a sentence has on average, which `profile --shortlist` takes."""
    if shortlist is None or vocabulary is None or corpus is None:
        return {}
    from automoe.text.special_tokens import EOS

    sentences = vocabulary.encode_all(corpus.split("valid").first(_N_TRANSLATED).source)
    numbers = [len(shortlist.candidates([[*pieces, EOS]])) for pieces in sentences]
    return {"n_candidates": round(mean(numbers))}


def _is_calibrated(options: ExportOptions) -> bool:
    return (options.form, options.precision) == ("tensorrt", "int8")


def _calibrated(
    model: "Transformer",
    vocabulary: "Vocabulary | None",
    corpus: "Corpus | None",
    options: ExportOptions,
) -> "tuple[Int8Steps | None, Sequence[Pair]]":
    """Return the scales of TensorRT's int8, and other sentences to check the graphs with."""
    from automoe.export import calibrate, random_pair

    if not _is_inexact(options):
        return None, ()
    if corpus is None or vocabulary is None:
        length, size = min(30, options.max_positions), model.config.vocab_size
        drawn = [random_pair(size, length, length, seed) for seed in range(2 * _N_CHECKED)]
        n_checked = _N_CHECKED
    else:
        drawn = _drawn_pairs(corpus, vocabulary, options.max_positions)
        n_checked = min(_N_CHECKED, len(drawn) // 2)
    if not _is_calibrated(options):
        return None, drawn[:n_checked]
    int8 = calibrate(model, drawn[n_checked:], max_positions=options.max_positions)
    return int8, drawn[:n_checked]


def _quality(
    model: "Transformer",
    vocabulary: "Vocabulary | None",
    bundle: "Bundle",
    corpus: "Corpus | None",
) -> "dict[str, Any] | None":
    """Return what the precision of a bundle costs in BLEU and chrF, if there is a text."""
    if corpus is None or vocabulary is None:
        return None
    from automoe.translation.precision_cost import precision_cost

    first = corpus.split("valid").first(_N_TRANSLATED)
    with progress_bar("Translate", is_brief=True) as on_progress:
        return precision_cost(model, vocabulary, bundle, first, on_progress=on_progress).to_dict()


def _facts(architecture: Path, checkpoint: Path | None) -> "ModelFacts":
    from automoe.export import ModelFacts
    from automoe.training.supernet_run import named_corpus

    corpus = None if checkpoint is None else named_corpus(checkpoint)
    return ModelFacts.trained_on(corpus, result=json_with(architecture, "certified"))


def _save_text(checkpoint: Path | None, out: Path) -> list[str]:
    """Save what `automoe evaluate` needs to know about a checkpoint's corpus; return the files."""
    if checkpoint is None or not (checkpoint / CORPUS).is_file():
        return []
    copyfile(checkpoint / CORPUS, out / CORPUS)
    return [CORPUS]


def _drawn_pairs(corpus: "Corpus", vocabulary: "Vocabulary", max_positions: int) -> "list[Pair]":
    """Draw sentences of the valid split to check and to calibrate with.

    Raises:
        CorpusError: The corpus cannot be read.
        ValueError: The valid split has fewer than two sentences.
    """
    from automoe.text import drawn_pairs

    n = _N_CHECKED + _N_CALIBRATED
    pairs = drawn_pairs(corpus.split("valid"), vocabulary, n=n, max_tokens=max_positions)
    if len(pairs) < 2:
        raise ValueError(
            f"'{corpus.folder}' must have 2 sentences in its valid split, one to calibrate with "
            f"and one to check with. Got {len(pairs)}; give --data."
        )
    return pairs


def _random(architecture: "Architecture", vocab_size: int) -> "Transformer":
    from automoe.supernet import Transformer, TransformerConfig

    widest = max(architecture.encoder.embed_dim, architecture.decoder.embed_dim)
    return Transformer(TransformerConfig(architecture, vocab_size, widest)).eval()


def _trained(architecture: "Architecture", checkpoint: Path) -> "tuple[Transformer, Vocabulary]":
    from automoe.supernet import extract
    from automoe.training.model_folder import TrainedModel

    trained = TrainedModel.load(checkpoint)
    if trained.space is not None:
        trained.space.check(architecture)
        return extract(trained.model, architecture), trained.vocabulary
    own = trained.model.config.architecture
    if own != architecture:
        raise ValueError(
            f"'--checkpoint' holds architecture {own.id}. Got {architecture.id}; give its own "
            "model, or a supernet."
        )
    return trained.model, trained.vocabulary
