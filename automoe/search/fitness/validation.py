"""Evaluate the loss of architectures on the valid split; a smaller one is better."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock

import torch

from automoe.architecture.architecture import Architecture
from automoe.supernet import Transformer
from automoe.text import Batch, Corpus, ParallelText, Vocabulary, encode_pairs, evaluation_batches
from automoe.training import validation_loss
from automoe.training.model_folder import WEIGHTS, TrainedModel
from automoe.training.supernet_run import remembered_max_sentence

Fitness = Callable[[Architecture], float]

_MAX_SENTENCE = 250  # of the losses that 0.1.0 kept
_MAX_TOKENS = 4096
_TURN = Lock()  # for threads of a cluster: torch has one thread count for all of them

Version = tuple[tuple[int, int], ...]


class ValidationFitness:
    """The cross-entropy per target token in nats, with the supernet's weights.

    Args:
        supernet: The trained supernet.
        batches: The sentences of the valid split.
    """

    def __init__(self, supernet: Transformer, batches: Sequence[Batch]) -> None:
        self._supernet = supernet.eval()
        self._batches = batches

    def __call__(self, architecture: Architecture) -> float:
        """Return the loss of one subnet."""
        return validation_loss(self._supernet, self._batches, architecture)


@dataclass(frozen=True, slots=True)
class TextFitness:
    """The files of a fitness that reads a supernet and sentences.

    Attributes:
        supernet: The folder of `automoe train`.
        corpus: The corpus whose valid split is read.
    """

    supernet: Path
    corpus: Corpus

    def text(self) -> ParallelText:
        """Return the sentences that are read."""
        return self.corpus.split("valid")


@dataclass(frozen=True, slots=True)
class SupernetFitness(TextFitness):
    """A `ValidationFitness` that holds only the names of its files, for any process to compute.

    One thread computes it, wherever it runs: sums in another order differ in their last digits,
    and a search must not depend on the number of workers.

    Attributes:
        every: The distance of the sentences that are read: 1 reads all, 4 a quarter of them.
    """

    every: int = 1

    def __call__(self, architecture: Architecture) -> float:
        """Return the loss of one subnet.

        Raises:
            ModelFolderError: The folder holds no supernet.
            CorpusError: The corpus cannot be read.
        """
        with _TURN, _one_thread():
            return _validation_fitness(self, _version(self.supernet, self.corpus))(architecture)

    @property
    def digest(self) -> str:
        """A digest of everything besides the architecture that the losses depend on."""
        cut = remembered_max_sentence(self.supernet)
        of_cut = "" if cut == _MAX_SENTENCE else f"{cut}/"
        return f"loss/{self.every}/{of_cut}{content_digest(self)}"


def supernet_fitness(
    supernet: Path, corpus: Corpus, halvings: int = 0
) -> tuple[SupernetFitness, ...]:
    """Return the stages of successive halving: each reads four times as much, the last one all.

    A generation then takes 0.75, 0.44 or 0.23 of the time with 1, 2 or 3 halvings. The paths are
    absolute, because a worker of a cluster has another working folder.
    """
    folder, text = supernet.absolute(), corpus.absolute()
    return tuple(SupernetFitness(folder, text, 4**n) for n in range(halvings, -1, -1))


def validation_batches(
    corpus: Corpus, vocabulary: Vocabulary, *, supernet: Path, every: int = 1
) -> list[Batch]:
    """Return the valid split, or one in ``every`` of its sentences.

    Long sentences are cut where the training of the supernet cut them.

    Args:
        corpus: The corpus.
        vocabulary: The vocabulary of the supernet.
        supernet: The folder of the supernet.
        every: The distance of the sentences that are read.

    Raises:
        CorpusError: The corpus cannot be read.
    """
    text = corpus.split("valid")
    cut = remembered_max_sentence(supernet)
    encoded = encode_pairs(text, vocabulary, max_tokens=cut, overlong="truncate")
    return list(evaluation_batches(encoded.pairs[::every], max_tokens=max(_MAX_TOKENS, cut)))


def loaded_supernet(folder: Path) -> TrainedModel:
    """Return the supernet of a folder, which is read again when its file has changed.

    Raises:
        ModelFolderError: The folder holds no model, or a damaged one.
    """
    return _supernet(folder, _version(folder))


def content_digest(fitness: TextFitness) -> str:
    """Return a digest of the weights and the sentences that a fitness reads."""
    return _content(fitness, _version(fitness.supernet, fitness.corpus))


def _version(supernet: Path, corpus: Corpus | None = None) -> Version:
    """Return what changes with a file: a process that lives long must not use old files.

    Args:
        supernet: The folder whose weights count.
        corpus: The corpus whose valid split counts; None for none.
    """
    files = (supernet / WEIGHTS, *(corpus.files("valid") if corpus else ()))
    stats = [file.stat() for file in files if file.exists()]
    return tuple((stat.st_mtime_ns, stat.st_size) for stat in stats)


@lru_cache(maxsize=1)
def _supernet(folder: Path, _of: Version) -> TrainedModel:
    return TrainedModel.load(folder)


@lru_cache(maxsize=8)
def _content(fitness: TextFitness, _of: Version) -> str:
    digest = hashlib.sha256((fitness.supernet / WEIGHTS).read_bytes())
    digest.update(fitness.text().digest.encode())
    return digest.hexdigest()


@lru_cache(maxsize=8)
def _validation_fitness(fitness: SupernetFitness, _of: Version) -> ValidationFitness:
    trained = loaded_supernet(fitness.supernet)
    batches = validation_batches(
        fitness.corpus, trained.vocabulary, supernet=fitness.supernet, every=fitness.every
    )
    return ValidationFitness(trained.model, batches)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
