"""Open the corpus of a command: the one of --data, or else that of a model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from automoe.cli.console import say
from automoe.cli.options import FOLDER, Options, grouped
from automoe.cli.refusals import Refusal
from automoe.model_files import CORPUS

if TYPE_CHECKING:
    from automoe.text import Corpus


@grouped("The text")
class TextOptions(Options):
    """The corpus that a command reads.

    Attributes:
        data: Folder of the corpus; default: the model's, or the one of this package.
        source: Suffix of the language to translate from; default: the model's, or en.
        target: Suffix of the language to translate into; default: the model's, or de.
    """

    data: Annotated[Path | None, FOLDER] = None
    source: str | None = None
    target: str | None = None


# Without --data the corpus is the model's, and other languages would be ignored.
DIRECTION_NEEDS_DATA = Refusal(options=("--source", "--target"), without=("--data",))


def model_text(model: Path, options: TextOptions) -> "Corpus":
    """Return the corpus of --data, or else the one that a model was trained on.

    Args:
        model: The folder of the model or supernet.
        options: The options of the user.

    Raises:
        CorpusError: There is no such corpus, or the model's corpus is gone.
        FileNotFoundError: The folder does not name a corpus.
    """
    # torch takes seconds to import
    from automoe.training import remembered_corpus

    return _opened(model, options.data or remembered_corpus(model).folder, options)


def chosen_text(model: Path | None, options: TextOptions) -> "Corpus":
    """Return the corpus of --data, or else of the model, or else of this package.

    Args:
        model: The folder of a model or supernet, which may name its corpus; None for none.
        options: The options of the user.

    Raises:
        CorpusError: There is no such corpus, or the model's corpus is gone.
    """
    # torch takes seconds to import
    from automoe.training import remembered_corpus

    data = options.data
    if data is None and model is not None and (model / CORPUS).is_file():
        data = remembered_corpus(model).folder
    return _opened(model, data, options)


def _opened(model: Path | None, data: Path | None, options: TextOptions) -> "Corpus":
    """Open a corpus in the languages of the options, or else of the model, and print which."""
    # torch takes seconds to import
    from automoe.text import open_corpus
    from automoe.training.supernet_run import named_corpus

    named = None if model is None else named_corpus(model)
    model_source, model_target = ("en", "de") if named is None else named.languages
    corpus = open_corpus(
        data, source=options.source or model_source, target=options.target or model_target
    )
    say(f"Text: {corpus.folder}, {corpus.source} to {corpus.target}.")
    return corpus
