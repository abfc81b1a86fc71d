"""This module trains the supernet of a space, from a corpus to a model folder."""

from dataclasses import asdict
from pathlib import Path

from automoe.architecture.space import SearchSpace
from automoe.model_files import CORPUS
from automoe.progress import OnProgress, no_progress
from automoe.settings.training import TrainingSettings
from automoe.supernet import Transformer, TransformerConfig
from automoe.text import Corpus, CorpusError, open_corpus
from automoe.text.corpus import default_corpus_folder
from automoe.training.data import TrainingData, vocabulary_for
from automoe.training.model_folder import VOCABULARY, TrainedModel
from automoe.training.processes import processes, require_precision
from automoe.training.subnets import sampled, validated
from automoe.training.tracking import require_trackers
from automoe.training.trainer import TrainingResult, train
from devices.files import write_json
from devices.yaml_json import parse_json

HISTORY = "history.json"
FINAL_WEIGHTS = "final_weights.json"
_MAX_SENTENCE = TrainingSettings().max_sentence


def train_supernet(
    space: SearchSpace,
    corpus: Corpus,
    settings: TrainingSettings,
    *,
    folder: Path,
    on_progress: OnProgress = no_progress,
) -> TrainingResult:
    """Train a space's supernet into ``folder``, or resume a run that was killed.

    Raises:
        CorpusError, VocabularyError: The corpus cannot be used.
        CheckpointError: The folder holds another run.
        SettingsError: A tracker is not installed, or fp16 is asked for without a GPU.
    """
    require_trackers(settings.track)
    require_precision(settings)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / VOCABULARY
    vocabulary = vocabulary_for(corpus, path, size=space.vocab_size, seed=settings.seed)
    data = TrainingData.prepare(corpus, vocabulary, max_sentence=settings.max_sentence)
    config = TransformerConfig.for_space(space, **settings.for_model())
    model = Transformer(config, seed=settings.seed)
    result = train(
        model,
        data,
        settings,
        folder=folder,
        subnets=sampled(space, settings),
        validated=validated(space, settings),
        on_progress=on_progress,
    )
    if processes().is_main_process:
        remember_corpus(folder, corpus, max_sentence=settings.max_sentence)
        remember_training(folder, result)
        TrainedModel(model, vocabulary, space).save(folder)
    return result


def remember_training(folder: Path, result: TrainingResult) -> None:
    """Write the history of a training, and which of its weights a model has."""
    write_json(folder / HISTORY, [record.to_dict() for record in result.history])
    write_json(folder / FINAL_WEIGHTS, {**asdict(result.final), "description": str(result.final)})


def remember_corpus(folder: Path, corpus: Corpus, *, max_sentence: int = _MAX_SENTENCE) -> None:
    """Write which corpus a model was trained on, so that a search can validate on it.

    Args:
        folder: The folder of the model.
        corpus: The corpus.
        max_sentence: The number of tokens after which the sentences of the valid split were cut.
    """
    folder_of_text = corpus.folder.resolve()
    is_shipped = folder_of_text == default_corpus_folder().resolve()
    content = {
        # The corpus of the package is in another folder on another machine.
        "folder": None if is_shipped else str(folder_of_text),
        "source": corpus.source,
        "target": corpus.target,
        "max_sentence": max_sentence,
    }
    write_json(folder / CORPUS, content)


def remembered_corpus(folder: Path) -> Corpus:
    """Return the corpus that a model was trained on.

    Raises:
        CorpusError: The corpus was moved, or the file that names it is damaged.
        FileNotFoundError: The folder has no file that names the corpus.
    """
    path = folder / CORPUS
    if not path.is_file():
        raise FileNotFoundError(f"'{path}' is missing, which names the text. Give --data.")
    text, source, target = _remembered(path)
    try:
        return open_corpus(text, source=source, target=target)
    except CorpusError as error:
        raise CorpusError(f"{error} It is the text that '{path}' names; or give --data.") from None


def remembered_max_sentence(folder: Path) -> int:
    """Return the number of tokens after which a model's training cut the valid split.

    It is 250 when the folder does not say, as in those of 0.1.0.

    Raises:
        CorpusError: The file that names the corpus is damaged.
    """
    path = folder / CORPUS
    try:
        content = parse_json(path.read_bytes()) if path.is_file() else {}
        cut = int(content.get("max_sentence", _MAX_SENTENCE))
        if cut < 1:
            raise ValueError(f"'max_sentence' must be at least 1. Got {cut}")
        return cut
    except (AttributeError, TypeError, ValueError) as error:
        raise CorpusError(f"'{path}' is damaged ({error}). Delete it and give --data.") from None


def named_corpus(folder: Path) -> Corpus | None:
    """Return the corpus that a model's folder names, wherever it is now; None when it names none.

    Raises:
        CorpusError: The file that names the corpus is damaged.
    """
    path = folder / CORPUS
    if not path.is_file():
        return None
    text, source, target = _remembered(path)
    return Corpus(text or default_corpus_folder(), source, target)


def _remembered(path: Path) -> tuple[Path | None, str, str]:
    """Return folder, source and target. The folder is None for the corpus of the package."""
    try:
        content = parse_json(path.read_bytes())
        text = content["folder"]
        return None if text is None else Path(text), content["source"], content["target"]
    except (KeyError, TypeError, ValueError) as error:
        raise CorpusError(f"'{path}' is damaged ({error}). Delete it and give --data.") from None
