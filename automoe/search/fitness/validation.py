"""How good an architecture is; less is better."""

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
from automoe.text import Batch, Corpus, Vocabulary, encode_pairs, evaluation_batches
from automoe.training import validation_loss
from automoe.training.model_folder import WEIGHTS, TrainedModel

Fitness = Callable[[Architecture], float]

_MAX_SENTENCE = 250
_MAX_TOKENS = 4096
_TURN = Lock()  # of a cluster's threads: torch has one number of threads for all of them

Version = tuple[tuple[int, int], ...]


class ValidationFitness:
    """Cross-entropy per target token in nats, with the supernet's weights.

    Args:
        supernet: The trained supernet.
        batches: The validation text.
    """

    def __init__(self, supernet: Transformer, batches: Sequence[Batch]) -> None:
        self._supernet = supernet.eval()
        self._batches = batches

    def __call__(self, architecture: Architecture) -> float:
        """The loss of one subnet."""
        return validation_loss(self._supernet, self._batches, architecture)


@dataclass(frozen=True, slots=True)
class SupernetFitness:
    """`ValidationFitness` by the names of its files, so that any process can compute it.

    One thread computes it, wherever it runs: sums in another order differ in their last digits,
    and a search must not depend on how many workers there are.

    Attributes:
        supernet: Folder of `automoe train`.
        corpus: Whose valid split is read.
        every: Reads every so many sentences: 1 reads all, 4 a quarter.
    """

    supernet: Path
    corpus: Corpus
    every: int = 1

    def __call__(self, architecture: Architecture) -> float:
        """The loss of one subnet.

        Raises:
            ModelFolderError: The folder holds no supernet.
            CorpusError: The text cannot be read.
        """
        with _TURN, _one_thread():
            return _validation_fitness(self, version_of(self.supernet, self.corpus))(architecture)

    @property
    def digest(self) -> str:
        """What the losses depend on besides the architecture."""
        return f"loss/{self.every}/{_content(self, version_of(self.supernet, self.corpus))}"


def supernet_fitness(
    supernet: Path, corpus: Corpus, halvings: int = 0
) -> tuple[SupernetFitness, ...]:
    """The stages of successive halving: each reads four times as much, the last everything.

    A generation then takes 0.75, 0.44 or 0.23 of the time with 1, 2 or 3 halvings. Paths are made
    absolute, because a worker of a cluster has another working folder.
    """
    folder, text = supernet.absolute(), corpus.absolute()
    return tuple(SupernetFitness(folder, text, 4**n) for n in range(halvings, -1, -1))


def validation_batches(corpus: Corpus, vocabulary: Vocabulary, *, every: int = 1) -> list[Batch]:
    """The valid split, or every so many of its sentences; those that are too long are cut.

    Raises:
        CorpusError: The text cannot be read.
    """
    text = corpus.split("valid")
    encoded = encode_pairs(text, vocabulary, max_tokens=_MAX_SENTENCE, overlong="truncate")
    return list(evaluation_batches(encoded.pairs[::every], max_tokens=_MAX_TOKENS))


def loaded_supernet(folder: Path) -> TrainedModel:
    """The supernet of a folder, read again when it was trained anew.

    Raises:
        ModelFolderError: The folder holds no model, or a damaged one.
    """
    return _supernet(folder, version_of(folder))


def version_of(supernet: Path, corpus: Corpus | None = None) -> Version:
    """Changes when a file does; a process that lives long must not answer from old ones.

    Args:
        supernet: Whose weights count.
        corpus: Whose valid split does.
    """
    files = (supernet / WEIGHTS, *(corpus.files("valid") if corpus else ()))
    found = [file.stat() for file in files if file.exists()]
    return tuple((stat.st_mtime_ns, stat.st_size) for stat in found)


@lru_cache(maxsize=1)
def _supernet(folder: Path, _of: Version) -> TrainedModel:
    return TrainedModel.load(folder)


@lru_cache(maxsize=8)
def _content(described: SupernetFitness, _of: Version) -> str:
    digest = hashlib.sha256((described.supernet / WEIGHTS).read_bytes())
    digest.update(described.corpus.split("valid").digest.encode())
    return digest.hexdigest()


@lru_cache(maxsize=8)
def _validation_fitness(described: SupernetFitness, _of: Version) -> ValidationFitness:
    trained = loaded_supernet(described.supernet)
    batches = validation_batches(described.corpus, trained.vocabulary, every=described.every)
    return ValidationFitness(trained.model, batches)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
