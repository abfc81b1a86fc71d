"""Training the supernet of a space, from a corpus to a model folder."""

import json
from dataclasses import asdict
from pathlib import Path

from automoe.architecture.space import SearchSpace
from automoe.progress import OnProgress, no_progress
from automoe.settings.training import TrainingSettings
from automoe.supernet import Transformer, TransformerConfig
from automoe.text import Corpus, CorpusError, open_corpus
from automoe.text.corpus import default_corpus_folder
from automoe.training.data import TrainingData, vocabulary_for
from automoe.training.model_folder import VOCABULARY, TrainedModel
from automoe.training.processes import processes
from automoe.training.subnets import sandwich, uniform
from automoe.training.trainer import TrainingResult, train
from devices.files import write_json

CORPUS = "corpus.json"
HISTORY = "history.json"


def train_supernet(
    space: SearchSpace,
    corpus: Corpus,
    settings: TrainingSettings,
    *,
    folder: Path,
    on_progress: OnProgress = no_progress,
) -> TrainingResult:
    """Train a space's supernet into ``folder``, going on where a killed run stopped.

    Raises:
        CorpusError, VocabularyError: The text cannot be used.
        CheckpointError: The folder holds another run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / VOCABULARY
    vocabulary = vocabulary_for(corpus, path, size=space.vocab_size, seed=settings.seed)
    data = TrainingData.prepare(corpus, vocabulary, max_sentence=settings.max_sentence)
    config = TransformerConfig.for_space(space, **settings.for_model())
    model = Transformer(config, seed=settings.seed)
    schedule = sandwich if settings.sampling == "sandwich" else uniform
    subnets = schedule(space, settings.seed)
    result = train(model, data, settings, folder=folder, subnets=subnets, on_progress=on_progress)
    if processes().is_main_process:
        remember_corpus(folder, corpus)
        history = [asdict(record) for record in result.history]
        write_json(folder / HISTORY, history, allow_nan=True)  # a run may diverge
        TrainedModel(model, vocabulary, space).save(folder)
    return result


def remember_corpus(folder: Path, corpus: Corpus) -> None:
    """Note which text a model was trained on, so that a search can validate on it."""
    folder_of_text = corpus.folder.resolve()
    is_shipped = folder_of_text == default_corpus_folder().resolve()
    content = {
        # The text that is part of the package is elsewhere on the next machine.
        "folder": None if is_shipped else str(folder_of_text),
        "source": corpus.source,
        "target": corpus.target,
    }
    write_json(folder / CORPUS, content)


def remembered_corpus(folder: Path) -> Corpus:
    """The text a model was trained on.

    Raises:
        CorpusError: It is not where it was, or the note about it is damaged.
        FileNotFoundError: The folder does not say which text it was.
    """
    path = folder / CORPUS
    if not path.is_file():
        raise FileNotFoundError(f"'{path}' is missing, which names the text. Give --data.")
    text, source, target = _remembered(path)
    try:
        return open_corpus(text, source=source, target=target)
    except CorpusError as error:
        raise CorpusError(f"{error} It is the text that '{path}' names; or give --data.") from None


def remembered_languages(folder: Path) -> tuple[str, str] | None:
    """Between which languages a model translates; None when its folder does not say.

    Raises:
        CorpusError: The note about its text is damaged.
    """
    path = folder / CORPUS
    return _remembered(path)[1:] if path.is_file() else None


def _remembered(path: Path) -> tuple[Path | None, str, str]:
    """Folder, source and target; no folder stands for the text that is part of the package."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        text = content["folder"]
        return None if text is None else Path(text), content["source"], content["target"]
    except (KeyError, TypeError, ValueError) as error:
        raise CorpusError(f"'{path}' is damaged ({error}). Delete it and give --data.") from None
