"""Carry out ``automoe ranking``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from pydantic import Field

from automoe.cli.console import print_json, print_table, progress_bar
from automoe.cli.metavars import name_values
from automoe.cli.options import FOLDER, GROUPS, OUTPUT, JsonOptions, argument, typed
from automoe.cli.outputs import NO_SUPERNET, require_file, require_folder
from automoe.cli.refusals import refuse
from automoe.cli.text_options import DIRECTION_NEEDS_DATA, TextOptions, model_text
from automoe.cli.training import SettingsOptions, training_settings
from automoe.model_files import DESCRIPTION
from automoe.settings.search import MOST, Count
from automoe.settings.training import TrainingSettings
from devices.rounding import rounded_down, rounded_up

if TYPE_CHECKING:
    from automoe.search.ranking_quality import Correlation


class RankingOptions(TextOptions, SettingsOptions, JsonOptions):
    """The number of subnets, and their folder.

    Attributes:
        out: Folder of the losses and checkpoints; default: SUPERNET/ranking.
        n: Number of subnets to train alone.
    """

    out: Annotated[Path | None, Parameter(name=("-o", "--out")), FOLDER, OUTPUT] = None
    n: Annotated[int, Field(ge=3, le=MOST), Parameter(name="-n")] = 8


class RankingSettings(TrainingSettings):
    """The settings of each subnet's training.

    Attributes:
        updates: Updates of each subnet, unless --settings has another number.
        seed: Seed of the draws of subnets and of their training.
    """

    updates: Count = 300


name_values(RankingSettings)
Flags = Annotated[
    RankingSettings,
    Parameter(
        name="*",
        group=GROUPS["Training settings"],
        parse="^(flags|updates|max_tokens|learning_rate|warmup_updates|seed)$",
    ),
]


def ranking(
    supernet: Annotated[Path, argument("Folder of 'automoe train'.")],
    /,
    *,
    options: RankingOptions = RankingOptions(),
    flags: Flags = RankingSettings(),
) -> None:
    """Check whether a supernet ranks subnets as training alone does; the same command resumes."""
    refuse([DIRECTION_NEEDS_DATA], typed(options))
    require_folder(supernet, NO_SUPERNET, holding=DESCRIPTION)
    require_file(options.settings)
    # torch takes seconds to import
    from automoe.search.ranking_quality import ranking_quality, report

    corpus = model_text(supernet, options)
    # This seed draws the subnets as well. So the seed of the settings file does not count.
    settings = training_settings(options.settings, flags).model_copy(update={"seed": flags.seed})
    with progress_bar("Ranking") as on_progress:
        quality = ranking_quality(
            supernet,
            corpus,
            settings,
            folder=options.out or supernet / "ranking",
            n=options.n,
            seed=settings.seed,
            on_progress=on_progress,
        )
    if options.as_json:
        print_json({"updates": settings.updates, "seed": settings.seed, **report(quality)})
        return
    rows = [(s.architecture.id, s.supernet_loss, s.alone_loss) for s in quality.subnets]
    rows.sort(key=lambda row: row[1])
    shown = [(name, f"{shared:.4f}", f"{alone:.4f}") for name, shared, alone in rows]
    print_table(("subnet", "loss in the supernet", f"alone, {settings.updates} updates"), shown)
    print(f"Spearman {_interval(quality.spearman)}, Kendall {_interval(quality.kendall)}")


def _interval(correlation: "Correlation") -> str:
    low, high = rounded_down(correlation.low, places=2), rounded_up(correlation.high, places=2)
    return f"{correlation.value:.2f} ({low} to {high})"
