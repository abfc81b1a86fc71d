"""``automoe train`` and ``automoe finetune``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from automoe.cli import text_options
from automoe.cli.console import progress_bar, say

if TYPE_CHECKING:
    from automoe.training import TrainingSettings

Data = Annotated[
    Path | None,
    typer.Option("--data", help="Folder with train/valid/test text; default: the shipped corpus."),
]
Source = Annotated[str, typer.Option(help="Suffix of the language to translate from.")]
Target = Annotated[str, typer.Option(help="Suffix of the language to translate into.")]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="YAML file with any training setting.")
]
Updates = Annotated[int | None, typer.Option(help="Optimiser steps; default 40000.")]
MaxTokens = Annotated[int | None, typer.Option(help="Tokens of a batch; default 4096.")]
LearningRate = Annotated[float | None, typer.Option(help="Peak learning rate; default 1e-3.")]
Warmup = Annotated[int | None, typer.Option(help="Warm-up updates; default: a quarter of all.")]
Precision = Annotated[str | None, typer.Option(help="no, bf16 or fp16; default no.")]
Seed = Annotated[int | None, typer.Option(help="Seed; default 0.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("train")(train)
    app.command("finetune")(finetune)


def train(
    space: Annotated[str, typer.Option("--space", help="Preset or YAML file.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the run.")],
    data: Data = None,
    source: Source = "en",
    target: Target = "de",
    max_experts: Annotated[int | None, typer.Option(help="Most experts in a layer.")] = None,
    fractional: Annotated[
        bool | None, typer.Option("--fractional/--standard", help="Experts of their own width.")
    ] = None,
    settings: SettingsFile = None,
    updates: Updates = None,
    max_tokens: MaxTokens = None,
    learning_rate: LearningRate = None,
    warmup_updates: Warmup = None,
    precision: Precision = None,
    seed: Seed = None,
) -> None:
    """Train the supernet of a space; a killed run is continued by the same command."""
    # torch takes seconds to import
    from automoe.architecture.space import SearchSpace
    from automoe.text import open_corpus
    from automoe.training import train_supernet

    with progress_bar("Supernet") as on_progress:
        result = train_supernet(
            SearchSpace.load(space, max_experts=max_experts, fractional=fractional),
            open_corpus(data, source=source, target=target),
            training_settings(
                settings,
                updates=updates,
                max_tokens=max_tokens,
                learning_rate=learning_rate,
                warmup_updates=warmup_updates,
                precision=precision,
                seed=seed,
            ),
            folder=out,
            on_progress=on_progress,
        )
    _conclude(out, result.resumed_at, result.history[-1].valid_loss)


def finetune(
    architecture: Annotated[Path, typer.Argument(help="Architecture or search result.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the model.")],
    data: text_options.Data = None,
    source: text_options.Source = None,
    target: text_options.Target = None,
    supernet: Annotated[
        Path | None, typer.Option("--supernet", help="Run whose weights are inherited.")
    ] = None,
    vocab_size: Annotated[
        int, typer.Option(min=5, help="Pieces of the vocabulary, without --supernet.")
    ] = 8000,
    settings: SettingsFile = None,
    updates: Updates = None,
    max_tokens: MaxTokens = None,
    learning_rate: LearningRate = None,
    warmup_updates: Warmup = None,
    precision: Precision = None,
    seed: Seed = None,
) -> None:
    """Train one architecture, export it and check the export against torch."""
    # torch takes seconds to import
    from automoe.architecture.files import read_architecture
    from automoe.training import finetune as train_and_export
    from automoe.training.model_folder import TrainedModel

    corpus = text_options.chosen_text(supernet, data, source, target)
    with progress_bar("Finetune") as on_progress:
        result = train_and_export(
            read_architecture(architecture),
            corpus,
            training_settings(
                settings,
                updates=updates,
                max_tokens=max_tokens,
                learning_rate=learning_rate,
                warmup_updates=warmup_updates,
                precision=precision,
                seed=seed,
            ),
            folder=out,
            supernet=TrainedModel.load_supernet(supernet)[0] if supernet else None,
            vocab_size=vocab_size,
            on_progress=on_progress,
        )
    _conclude(out, result.resumed_at, result.history[-1].valid_loss)


def training_settings(file: Path | None, **flags: Any) -> "TrainingSettings":
    """Settings from a file, over which flags that were given win.

    Raises:
        SettingsError: A setting is unknown or out of range.
    """
    import yaml  # imported late, like what needs it

    from automoe.training import SettingsError, TrainingSettings

    given: Any = {}
    if file is not None:
        try:
            given = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise SettingsError(f"{file}: not valid YAML: {' '.join(str(error).split())}") from None
        if not isinstance(given, dict):
            raise SettingsError(f"{file}: must be a mapping of settings. Got {given!r:.60}.")
    return TrainingSettings.of(**(given | {k: v for k, v in flags.items() if v is not None}))


def _conclude(out: Path, resumed_at: int, valid_loss: float | None) -> None:
    if resumed_at:
        say(f"Continued from update {resumed_at}.")
    print(f"{out}: validation loss {valid_loss:.4f} nats per token")
