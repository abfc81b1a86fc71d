"""``automoe export``."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from shutil import copyfile
from typing import TYPE_CHECKING, Annotated

import typer

from automoe.cli.console import print_fields, print_json, say
from automoe.cli.dependent_options import require_option
from automoe.cli.text_options import Source, Target, model_text

if TYPE_CHECKING:
    from automoe.architecture.architecture import Architecture
    from automoe.supernet import Transformer
    from automoe.text import Corpus, Pair, Vocabulary

# Sentences to check int8 with, and to calibrate with: the largest magnitudes hardly grow with more.
_N_CHECKED, _N_CALIBRATED = 8, 64


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    architecture: Annotated[Path, typer.Argument(help="Architecture or search result.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the exported model.")],
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Model or supernet whose weights it gets.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="onnx or tensorrt.")] = "onnx",
    precision: Annotated[str, typer.Option(help="fp32; tensorrt: or fp16, int8.")] = "fp32",
    data: Annotated[
        Path | None,
        typer.Option("--data", help="int8: text to calibrate with; default: the model's."),
    ] = None,
    source: Source = None,
    target: Target = None,
    vocab_size: Annotated[int, typer.Option(min=5, help="Without --checkpoint.")] = 32768,
    max_positions: Annotated[int, typer.Option(min=10, help="Longest sentence.")] = 256,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of lines.")] = False,
) -> None:
    """Write the deployable graphs and check them against torch, expert choices included."""
    # torch takes seconds to import
    from automoe.architecture.files import read_architecture
    from automoe.export import calibrate, check_parity, export_model, require_precision
    from automoe.training.model_folder import VOCABULARY
    from automoe.training.supernet_run import CORPUS

    require_precision(form, precision)
    require_option("--data", data, {"source": source, "target": target})
    if data is not None and (precision != "int8" or checkpoint is None):
        raise ValueError(
            f"'--data' calibrates the trained weights of '--precision int8 --checkpoint ...'. "
            f"Got '{data}' with {precision} and checkpoint {checkpoint}; leave it out."
        )
    wanted = read_architecture(architecture)
    if checkpoint is None:
        say("Without --checkpoint the weights are random: time this model, do not use it.")
        model, vocabulary = _random(wanted, vocab_size), None
    else:
        model, vocabulary = _trained(wanted, checkpoint)
    int8 = None
    pairs: Sequence[Pair] = ()
    if precision == "int8":
        if checkpoint is None or vocabulary is None:
            pairs, others = _random_pairs(vocab_size, max_positions)
        else:
            corpus = model_text(checkpoint, data, source, target)
            pairs, others = _pairs(corpus, vocabulary, max_positions)
        int8 = calibrate(model, others, max_positions=max_positions)
    bundle = export_model(
        model, out, max_positions=max_positions, form=form, precision=precision, int8=int8
    )
    if checkpoint is not None and vocabulary is not None:
        vocabulary.save(out / VOCABULARY)
        if (checkpoint / CORPUS).is_file():  # so that it is scored on the text of its model
            copyfile(checkpoint / CORPUS, out / CORPUS)
    parity = check_parity(model, bundle, pairs=pairs)
    content = {
        "folder": str(out),
        "architecture_id": wanted.id,
        "format": form,
        "precision": precision,
        "max_difference": parity.max_difference,
        "median_difference": parity.median_difference,
        "spread": parity.spread,
        "n_choices": parity.n_choices,
        "n_different_choices": parity.n_different_choices,
    }
    print_json(content) if as_json else print_fields(content)


def _pairs(
    corpus: "Corpus", vocabulary: "Vocabulary", max_positions: int
) -> "tuple[Sequence[Pair], Sequence[Pair]]":
    """Sentences of the valid split to check with, and others to calibrate with.

    Raises:
        CorpusError: The text cannot be read.
        ValueError: It has one sentence only.
    """
    from automoe.text import encode_pairs

    text = corpus.split("valid")
    pairs = encode_pairs(text, vocabulary, max_tokens=max_positions, overlong="truncate").pairs
    if len(pairs) < 2:
        raise ValueError(
            f"'{corpus.folder}' must have 2 sentences in its valid split, one to calibrate with "
            f"and one to check with. Got {len(pairs)}; give --data."
        )
    drawn = Random(0).sample(pairs, min(len(pairs), _N_CHECKED + _N_CALIBRATED))
    n_checked = min(_N_CHECKED, len(drawn) // 2)
    return drawn[:n_checked], drawn[n_checked:]


def _random_pairs(vocab_size: int, max_positions: int) -> "tuple[Sequence[Pair], Sequence[Pair]]":
    from automoe.export import random_pair

    length = min(30, max_positions)
    pairs = [random_pair(vocab_size, length, length, seed) for seed in range(2 * _N_CHECKED)]
    return pairs[:_N_CHECKED], pairs[_N_CHECKED:]


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
