"""This module trains, exports and checks the final model of one architecture."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from automoe.architecture.architecture import Architecture
from automoe.export import ONNX, ModelFacts, check_parity, export_model
from automoe.progress import OnProgress, no_progress
from automoe.settings.training import TrainingSettings
from automoe.supernet import Transformer, TransformerConfig, extract
from automoe.text import Corpus
from automoe.training.data import TrainingData, vocabulary_for
from automoe.training.model_folder import VOCABULARY, TrainedModel
from automoe.training.processes import processes, require_precision
from automoe.training.supernet_run import remember_corpus, remember_training
from automoe.training.tracking import require_trackers
from automoe.training.trainer import TrainingResult, train


def finetune(
    architecture: Architecture,
    corpus: Corpus,
    settings: TrainingSettings,
    *,
    folder: Path,
    supernet: TrainedModel | None = None,
    vocab_size: int = 8000,
    searched: Mapping[str, Any] | None = None,
    on_progress: OnProgress = no_progress,
) -> TrainingResult:
    """Train one architecture into ``folder`` and export it to ``folder/onnx``.

    Args:
        architecture: The architecture to train.
        corpus: The corpus to train on.
        settings: The settings of the run.
        folder: The folder of the model, the checkpoint and the export. A killed run resumes from
            it.
        supernet: The supernet that gives the vocabulary and, unless ``initial_weights`` is
            ``scratch``, the first weights; or None to train a vocabulary and weights from
            scratch.
        vocab_size: The number of pieces of the vocabulary that is trained without a supernet.
        searched: The result of the search that found the architecture, which the export tells of.
        on_progress: A function that is called after every update.

    Raises:
        CorpusError, VocabularyError: The corpus cannot be used.
        SpaceError: The architecture is not one of the supernet's space.
        CheckpointError: The folder holds another run.
        ExportError: The exported graphs do not compute what the model computes.
        SettingsError: A tracker is not installed, or fp16 is asked for without a GPU.
        ValueError: ``searched`` is no such result or is of another architecture.
    """
    require_trackers(settings.track)
    require_precision(settings)
    facts = ModelFacts.trained_on(corpus, result=searched)
    facts.require_about(architecture)
    folder.mkdir(parents=True, exist_ok=True)
    if supernet is None:
        vocabulary = vocabulary_for(
            corpus, folder / VOCABULARY, size=vocab_size, seed=settings.seed
        )
        config = TransformerConfig.of(
            architecture, vocab_size=vocabulary.size, **settings.for_model()
        )
        model = Transformer(config, seed=settings.seed)
    else:
        vocabulary, model = supernet.vocabulary, _of_supernet(architecture, settings, supernet)
    data = TrainingData.prepare(corpus, vocabulary, max_sentence=settings.max_sentence)
    result = train(model, data, settings, folder=folder, on_progress=on_progress)
    if processes().is_main_process:
        remember_corpus(folder, corpus, max_sentence=settings.max_sentence)
        remember_training(folder, result)
        finished = model.cpu().eval()
        TrainedModel(finished, vocabulary).save(folder)
        bundle = export_model(finished, folder / ONNX, vocabulary=vocabulary, facts=facts)
        check_parity(finished, bundle)
    return result


def _of_supernet(
    architecture: Architecture, settings: TrainingSettings, supernet: TrainedModel
) -> Transformer:
    """Return a model of a supernet's space, with its weights or with new ones."""
    if supernet.space is not None:
        supernet.space.check(architecture)
    inherits = settings.initial_weights == "supernet"
    # The weights of the supernet were trained with its place of the norm.
    kept = {"pre_norm": supernet.model.config.pre_norm} if inherits else {}
    changes = {**settings.for_model(), **kept}
    config = replace(supernet.model.config, architecture=architecture, **changes)
    model = Transformer(config, seed=settings.seed)
    if inherits:
        model.load_state_dict(extract(supernet.model, architecture).state_dict())
    return model
