"""The final model of one architecture: trained, exported and checked."""

from dataclasses import replace
from pathlib import Path

from automoe.architecture.architecture import Architecture
from automoe.export import check_parity, export_model
from automoe.progress import OnProgress, no_progress
from automoe.settings.training import TrainingSettings
from automoe.supernet import Transformer, TransformerConfig, extract
from automoe.text import Corpus
from automoe.training.data import TrainingData, vocabulary_for
from automoe.training.model_folder import VOCABULARY, TrainedModel
from automoe.training.processes import processes
from automoe.training.supernet_run import remember_corpus
from automoe.training.trainer import TrainingResult, train

ONNX = "onnx"


def finetune(
    architecture: Architecture,
    corpus: Corpus,
    settings: TrainingSettings,
    *,
    folder: Path,
    supernet: TrainedModel | None = None,
    vocab_size: int = 8000,
    on_progress: OnProgress = no_progress,
) -> TrainingResult:
    """Train one architecture into ``folder`` and export it to ``folder/onnx``.

    Args:
        architecture: What to train.
        corpus: The text.
        settings: How.
        folder: Where model, checkpoint and export go; a killed run goes on from it.
        supernet: Gives the first weights and the vocabulary; None trains from scratch.
        vocab_size: Pieces of the vocabulary that is trained without a supernet.
        on_progress: Called after every update.

    Raises:
        CorpusError, VocabularyError: The text cannot be used.
        SpaceError: The architecture is not of the supernet's space.
        CheckpointError: The folder holds another run.
        ExportError: The exported graphs do not compute what the model does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if supernet is None:
        vocabulary = vocabulary_for(
            corpus, folder / VOCABULARY, size=vocab_size, seed=settings.seed
        )
        model = _from_scratch(architecture, settings, vocabulary.size)
    else:
        vocabulary, model = supernet.vocabulary, _inherited(architecture, settings, supernet)
    data = TrainingData.prepare(corpus, vocabulary, max_sentence=settings.max_sentence)
    result = train(model, data, settings, folder=folder, on_progress=on_progress)
    if processes().is_main_process:
        remember_corpus(folder, corpus)
        _save(TrainedModel(model.cpu().eval(), vocabulary), folder)
    return result


def _save(finished: TrainedModel, folder: Path) -> None:
    """Write the model and its checked export."""
    finished.save(folder)
    bundle = export_model(finished.model, folder / ONNX)
    finished.vocabulary.save(bundle.folder / VOCABULARY)
    check_parity(finished.model, bundle)


def _from_scratch(
    architecture: Architecture, settings: TrainingSettings, vocab_size: int
) -> Transformer:
    config = TransformerConfig.of(architecture, vocab_size=vocab_size, **settings.for_model())
    return Transformer(config, seed=settings.seed)


def _inherited(
    architecture: Architecture, settings: TrainingSettings, supernet: TrainedModel
) -> Transformer:
    if supernet.space is not None:
        supernet.space.check(architecture)
    subnet = extract(supernet.model, architecture)
    kept = {"pre_norm": subnet.config.pre_norm}  # the weights are made for it
    config = replace(subnet.config, **{**settings.for_model(), **kept})
    model = Transformer(config, seed=settings.seed)
    model.load_state_dict(subnet.state_dict())
    return model
