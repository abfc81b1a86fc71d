"""Which text a command reads: the one asked for, else the one that a model was trained on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automoe.cli.console import say

if TYPE_CHECKING:
    from automoe.text import Corpus

Data = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Folder with train/valid/test text; default: the model's, or that shipped."
    ),
]
Source = Annotated[
    str | None, typer.Option(help="Suffix to translate from; default: the model's, or en.")
]
Target = Annotated[
    str | None, typer.Option(help="Suffix to translate into; default: the model's, or de.")
]


def model_text(model: Path, data: Path | None, source: str | None, target: str | None) -> "Corpus":
    """The text of --data; else that which the model in a folder was trained on.

    Args:
        model: Folder of the model or supernet.
        data: Folder of text that was asked for.
        source: Suffix that was asked for with it.
        target: The same.

    Raises:
        CorpusError: There is no such text, or what the model remembers is gone.
        FileNotFoundError: The model remembers none.
    """
    # torch takes seconds to import
    from automoe.training import remembered_corpus

    return _opened(model, data or remembered_corpus(model).folder, source, target)


def chosen_text(
    model: Path | None, data: Path | None, source: str | None, target: str | None
) -> "Corpus":
    """The text of --data; else that of the model in a folder; else the one shipped here.

    Args:
        model: Folder of a model or supernet that may remember its text.
        data: Folder of text that was asked for.
        source: Suffix that was asked for.
        target: The same.

    Raises:
        CorpusError: There is no such text, or what the model remembers is gone.
    """
    # torch takes seconds to import
    from automoe.training import remembered_corpus
    from automoe.training.supernet_run import CORPUS

    if data is None and model is not None and (model / CORPUS).is_file():
        data = remembered_corpus(model).folder
    return _opened(model, data, source, target)


def _opened(
    model: Path | None, data: Path | None, source: str | None, target: str | None
) -> "Corpus":
    """The text of a folder, in the languages asked for, else in the model's; which is said."""
    # torch takes seconds to import
    from automoe.text import open_corpus
    from automoe.training.supernet_run import remembered_languages

    languages = remembered_languages(model) if model is not None else None
    model_source, model_target = languages or ("en", "de")
    corpus = open_corpus(data, source=source or model_source, target=target or model_target)
    say(f"Text: {corpus.folder}, {corpus.source} to {corpus.target}.")
    return corpus
