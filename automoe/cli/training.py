"""Carry out ``automoe train`` and ``automoe finetune``."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from pydantic import Field

from automoe.architecture.architecture_files import read_architecture
from automoe.cli.completing import SPACE
from automoe.cli.console import print_json, progress_bar, say
from automoe.cli.known_facts import json_with
from automoe.cli.metavars import name_values
from automoe.cli.options import (
    FILE,
    FOLDER,
    GROUPS,
    JsonOptions,
    Options,
    OutFolder,
    SpaceOptions,
    argument,
    grouped,
    typed,
)
from automoe.cli.outputs import NO_SUPERNET, require_folder, require_writable
from automoe.cli.refusals import Refusal, refuse
from automoe.cli.text_options import TextOptions, chosen_text
from automoe.model_files import DESCRIPTION
from automoe.settings.search import MOST
from automoe.settings.training import SettingsError, TrainingSettings
from devices.yaml_json import FileContentError, read_yaml

if TYPE_CHECKING:
    from automoe.training import TrainingResult

# These settings have an option. The others are given by --settings.
_COMMON = (
    "flags|updates|max_tokens|learning_rate|warmup_updates|precision|seed|patience|final_weights"
    "|average|track"
)
SupernetFlags = Annotated[
    TrainingSettings,
    Parameter(name="*", group=GROUPS["Training settings"], parse=f"^({_COMMON}|sampling)$"),
]
ModelFlags = Annotated[
    TrainingSettings,
    Parameter(name="*", group=GROUPS["Training settings"], parse=f"^({_COMMON}|initial_weights)$"),
]


name_values(TrainingSettings)
_NO_CORPUS = "The corpus folder '{path}' does not exist or is not a folder. Correct the path."
_INITIAL_WEIGHTS = Refusal(options=("--initial-weights",), without=("--supernet",))


class SettingsOptions(Options):
    """The file of the settings that have no option.

    Attributes:
        settings: YAML file with any training settings; an option replaces its value.
    """

    settings: Annotated[Path | None, FILE] = None


@grouped("Inputs")
class TrainOptions(SpaceOptions, SettingsOptions, JsonOptions):
    """The space and the corpus of a supernet.

    Attributes:
        space: Preset or YAML file.
        out: Folder of the supernet.
        data: Folder of the corpus; default: the one of this package.
        source: Suffix of the language to translate from.
        target: Suffix of the language to translate into.
    """

    space: Annotated[str, SPACE]
    out: OutFolder
    data: Annotated[Path | None, FOLDER] = None
    source: str = "en"
    target: str = "de"


@grouped("Inputs")
class FinetuneOptions(TextOptions, SettingsOptions, JsonOptions):
    """The weights and the corpus of a final model.

    Attributes:
        out: Folder of the model.
        supernet: Folder of the supernet whose vocabulary, and weights unless they are from scratch,
            are inherited.
        vocab_size: Pieces of the vocabulary, without --supernet.
    """

    out: OutFolder
    supernet: Annotated[Path | None, FOLDER] = None
    vocab_size: Annotated[int, Field(ge=5, le=MOST)] = 8000


def train(*, options: TrainOptions, flags: SupernetFlags = TrainingSettings()) -> None:
    """Train the supernet of a space; the same command resumes."""
    space, settings = options.load(options.space), training_settings(options.settings, flags)
    require_folder(options.data, _NO_CORPUS)
    require_writable(options.out / DESCRIPTION)
    # torch takes seconds to import
    from automoe.text import open_corpus
    from automoe.training import train_supernet

    with progress_bar("Supernet") as on_progress:
        result = train_supernet(
            space,
            open_corpus(options.data, source=options.source, target=options.target),
            settings,
            folder=options.out,
            on_progress=on_progress,
        )
    _conclude(options.out, result, as_json=options.as_json)


def finetune(
    architecture: Annotated[Path, argument("Architecture or search result.")],
    /,
    *,
    options: FinetuneOptions,
    flags: ModelFlags = TrainingSettings(),
) -> None:
    """Train one architecture, export it and check the export against torch."""
    refuse([_INITIAL_WEIGHTS], typed(options, flags))
    wanted = read_architecture(architecture)
    settings = training_settings(options.settings, flags)
    require_folder(options.data, _NO_CORPUS)
    require_folder(options.supernet, NO_SUPERNET, holding=DESCRIPTION)
    of_supernet = [options.supernet / DESCRIPTION] if options.supernet else []
    require_writable(options.out / DESCRIPTION, *of_supernet)
    # torch takes seconds to import
    from automoe.training import finetune as train_and_export
    from automoe.training.model_folder import TrainedModel

    supernet = options.supernet
    corpus = chosen_text(supernet, options)
    with progress_bar("Finetune") as on_progress:
        result = train_and_export(
            wanted,
            corpus,
            settings,
            folder=options.out,
            supernet=TrainedModel.load_supernet(supernet)[0] if supernet else None,
            vocab_size=options.vocab_size,
            searched=json_with(architecture, "certified"),
            on_progress=on_progress,
        )
    _conclude(options.out, result, as_json=options.as_json)


def training_settings(file: Path | None, flags: TrainingSettings) -> TrainingSettings:
    """Return the settings of a file, with the options of the command line instead of its values.

    Args:
        file: The YAML file; None uses the defaults of the command.
        flags: The options.

    Raises:
        SettingsError: A setting is unknown or out of range. The message names the file.
    """
    defaults = flags.model_dump(exclude={"warmup_updates"}) if file is None else _read(file)
    try:
        return TrainingSettings.of(**defaults | flags.model_dump(exclude_unset=True))
    except SettingsError as error:
        raise SettingsError(f"{file}: {error}" if file else str(error)) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        return read_yaml(file)
    except FileContentError as error:
        raise SettingsError(str(error)) from None


def _conclude(out: Path, result: "TrainingResult", *, as_json: bool) -> None:
    if result.resumed_at:
        say(f"Continued from update {result.resumed_at}.")
    say(f"The weights of the model are {result.final}.")
    if as_json:
        history = [record.to_dict() for record in result.history]
        content = {"resumed_at": result.resumed_at, "final": asdict(result.final)}
        print_json({"out": str(out), **content, "history": history})
    else:
        print(f"{out}: validation loss {result.final.valid_loss:.4f} nats per token")
