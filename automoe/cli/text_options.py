"""Which text a command reads: the one asked for, else the one that a model was trained on."""

from pathlib import Path
from typing import TYPE_CHECKING

from automoe.cli.console import say
from automoe.cli.options import Options
from automoe.cli.refusals import Refusal

if TYPE_CHECKING:
    from automoe.text import Corpus


class TextOptions(Options):
    """Which text a command reads.

    Attributes:
        data: Folder with train/valid/test text; default: the model's, or that shipped.
        source: Suffix to translate from; default: the model's, or en.
        target: Suffix to translate into; default: the model's, or de.
    """

    data: Path | None = None
    source: str | None = None
    target: str | None = None


# A direction without text would be ignored where the text has to be the model's.
DIRECTION_NEEDS_DATA = Refusal(options=("--source", "--target"), without=("--data",))


def model_text(model: Path, options: TextOptions) -> "Corpus":
    """Return the text of --data; else that which the model in a folder was trained on.

    Args:
        model: Folder of the model or supernet.
        options: The text that the user asked for.

    Raises:
        CorpusError: There is no such text, or what the model remembers is gone.
        FileNotFoundError: The model remembers none.
    """
    # torch takes seconds to import
    from automoe.training import remembered_corpus

    return _opened(model, options.data or remembered_corpus(model).folder, options)


def chosen_text(model: Path | None, options: TextOptions) -> "Corpus":
    """Return the text of --data; else that of the model in a folder; else the one shipped here.

    Args:
        model: Folder of a model or supernet that may remember its text.
        options: The text that the user asked for.

    Raises:
        CorpusError: There is no such text, or what the model remembers is gone.
    """
    # torch takes seconds to import
    from automoe.training import remembered_corpus
    from automoe.training.supernet_run import CORPUS

    data = options.data
    if data is None and model is not None and (model / CORPUS).is_file():
        data = remembered_corpus(model).folder
    return _opened(model, data, options)


def _opened(model: Path | None, data: Path | None, options: TextOptions) -> "Corpus":
    """Open a folder in the languages that the user asked for, else in the model's, and say so."""
    # torch takes seconds to import
    from automoe.text import open_corpus
    from automoe.training.supernet_run import remembered_languages

    languages = remembered_languages(model) if model is not None else None
    model_source, model_target = languages or ("en", "de")
    corpus = open_corpus(
        data, source=options.source or model_source, target=options.target or model_target
    )
    say(f"Text: {corpus.folder}, {corpus.source} to {corpus.target}.")
    return corpus
