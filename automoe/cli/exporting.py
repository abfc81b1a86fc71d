"""``automoe export``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automoe.cli.console import print_fields, print_json, say

if TYPE_CHECKING:
    from automoe.architecture import Architecture
    from automoe.supernet import Transformer
    from automoe.text import Vocabulary


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
    precision: Annotated[str, typer.Option(help="fp32; tensorrt: or fp16.")] = "fp32",
    vocab_size: Annotated[int, typer.Option(min=5, help="Without --checkpoint.")] = 32768,
    max_positions: Annotated[int, typer.Option(min=10, help="Longest sentence.")] = 256,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of lines.")] = False,
) -> None:
    """Write the deployable graphs and check them against torch, expert choices included."""
    # torch takes seconds to import
    from automoe.architecture_files import read_architecture
    from automoe.export import check_parity, export_model, require_precision
    from automoe.model_folder import VOCABULARY

    require_precision(form, precision)
    wanted = read_architecture(architecture)
    if checkpoint is None:
        say("Without --checkpoint the weights are random: time this model, do not use it.")
        model, vocabulary = _random(wanted, vocab_size), None
    else:
        model, vocabulary = _trained(wanted, checkpoint)
    bundle = export_model(model, out, max_positions=max_positions, form=form, precision=precision)
    if vocabulary is not None:
        vocabulary.save(out / VOCABULARY)
    parity = check_parity(model, bundle)
    content = {
        "folder": str(out),
        "architecture_id": wanted.id,
        "format": form,
        "precision": precision,
        "max_difference": parity.max_difference,
        "median_difference": parity.median_difference,
        "n_choices": parity.n_choices,
        "n_different_choices": parity.n_different_choices,
    }
    print_json(content) if as_json else print_fields(content)


def _random(architecture: "Architecture", vocab_size: int) -> "Transformer":
    from automoe.supernet import Transformer, TransformerConfig

    widest = max(architecture.encoder.embed_dim, architecture.decoder.embed_dim)
    return Transformer(TransformerConfig(architecture, vocab_size, widest)).eval()


def _trained(architecture: "Architecture", checkpoint: Path) -> "tuple[Transformer, Vocabulary]":
    from automoe.model_folder import TrainedModel
    from automoe.supernet import extract

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
