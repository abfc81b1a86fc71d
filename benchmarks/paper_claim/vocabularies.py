"""This module makes the task of the text: one vocabulary for both languages, and the sizes."""

from paper_claim.clock import Clock
from paper_claim.config import Experiment
from paper_claim.tasks import Task

from automoe.text.batches import batches_per_epoch
from automoe.training import TrainingData, vocabulary_for


def text_task(experiment: Experiment) -> Task:
    """Return the task that trains the vocabulary and counts the text."""
    config, corpus = experiment.config, experiment.corpus
    asked = {
        "text": {name: corpus.split(name).digest for name in ("train", "valid", "test")},
        "vocab_size": config.space.vocab_size,
        "seed": config.seed,
        "max_sentence": config.final.train.max_sentence,
        "max_tokens": config.final.train.max_tokens,
    }
    return Task(experiment, "", "text", asked, _computed)


def _computed(task: Task, clock: Clock) -> dict[str, object]:
    experiment, settings = task.experiment, task.experiment.config.final.train
    corpus = experiment.corpus
    vocabulary = vocabulary_for(
        corpus,
        experiment.vocabulary_path,
        size=experiment.config.space.vocab_size,
        seed=experiment.config.seed,
    )
    data = TrainingData.prepare(corpus, vocabulary, max_sentence=settings.max_sentence)
    lengths = {
        "source": sum(len(pair.source) for pair in data.train),
        "target": sum(len(pair.target) + 1 for pair in data.train),
    }
    return {
        "vocabulary_sha256": vocabulary.sha256,
        "train_pairs": len(data.train),
        "left_out": data.n_left_out,
        "valid_pairs": len(data.valid),
        "tokens_of_valid": sum(len(pair.target) + 1 for pair in data.valid),
        "test_pairs": len(corpus.split("test")),
        "tokens_of_an_epoch": lengths,
        "batches_of_an_epoch": batches_per_epoch(data.train, settings.max_tokens),
    }
