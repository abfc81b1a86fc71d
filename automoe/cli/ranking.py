"""``automoe ranking``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automoe.cli.console import print_json, print_table, progress_bar
from automoe.cli.dependent_options import require_option
from automoe.cli.text_options import Source, Target, model_text
from automoe.cli.training import (
    Data,
    LearningRate,
    MaxTokens,
    SettingsFile,
    Warmup,
    training_settings,
)

if TYPE_CHECKING:
    from automoe.search.ranking_quality import Correlation

_UPDATES = 300


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ranking")(ranking)


def ranking(
    supernet: Annotated[Path, typer.Argument(help="Run of 'automoe train'.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder; default: SUPERNET/ranking.")
    ] = None,
    n: Annotated[int, typer.Option("-n", min=3, help="Subnets to train alone.")] = 8,
    data: Data = None,
    source: Source = None,
    target: Target = None,
    settings: SettingsFile = None,
    updates: Annotated[
        int | None,
        typer.Option(min=1, help="Optimiser steps of each subnet; default 300 or --settings."),
    ] = None,
    max_tokens: MaxTokens = None,
    learning_rate: LearningRate = None,
    warmup_updates: Warmup = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the subnets and their training.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Whether the supernet ranks subnets as training them alone does; run it again to continue."""
    require_option("--data", data, {"source": source, "target": target})
    # torch takes seconds to import
    from automoe.search.ranking_quality import ranking_quality, report

    corpus = model_text(supernet, data, source, target)
    chosen = training_settings(
        settings,
        updates=_UPDATES if updates is None and settings is None else updates,
        max_tokens=max_tokens,
        learning_rate=learning_rate,
        warmup_updates=warmup_updates,
        seed=seed,
    )
    with progress_bar("Ranking") as on_progress:
        found = ranking_quality(
            supernet,
            corpus,
            chosen,
            folder=out or supernet / "ranking",
            n=n,
            seed=seed,
            on_progress=on_progress,
        )
    if as_json:
        print_json({"updates": chosen.updates, "seed": seed, **report(found)})
        return
    rows = [(s.architecture.id, s.supernet_loss, s.alone_loss) for s in found.subnets]
    rows.sort(key=lambda row: row[1])
    shown = [(name, f"{shared:.4f}", f"{alone:.4f}") for name, shared, alone in rows]
    print_table(("subnet", "loss in the supernet", f"alone, {chosen.updates} updates"), shown)
    print(f"Spearman {_interval(found.spearman)}, Kendall {_interval(found.kendall)}")


def _interval(found: "Correlation") -> str:
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"
