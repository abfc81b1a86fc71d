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
Source = Annotated[str | None, typer.Option(help="Suffix to translate from; default: en.")]
Target = Annotated[str | None, typer.Option(help="Suffix to translate into; default: de.")]


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
    from automoe.text import open_corpus
    from automoe.training import remembered_corpus

    if data is None:
        return remembered_corpus(model)
    return open_corpus(data, source=source or "en", target=target or "de")


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
    from automoe.text import open_corpus
    from automoe.training import remembered_corpus
    from automoe.training.supernet_run import CORPUS

    known = None
    if data is None and model is not None and (model / CORPUS).is_file():
        known = remembered_corpus(model)
    corpus = open_corpus(
        known.folder if known else data,
        source=source or (known.source if known else "en"),
        target=target or (known.target if known else "de"),
    )
    say(f"Text: {corpus.folder}, {corpus.source} to {corpus.target}.")
    return corpus
