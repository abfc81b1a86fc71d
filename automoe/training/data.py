"""This module prepares a corpus for training: its vocabulary and its encoded pairs."""

from dataclasses import dataclass
from pathlib import Path

from automoe.text import (
    Batch,
    Corpus,
    Pairs,
    Vocabulary,
    VocabularyError,
    encode_pairs,
    evaluation_batches,
)
from automoe.training.processes import processes


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The vocabulary and the pairs that training reads.

    Attributes:
        vocabulary: The vocabulary of both languages.
        train: The pairs to learn from, without those that are too long.
        valid: The pairs to validate on. Those that are too long are cut.
        n_left_out: The number of training pairs that were too long.
    """

    vocabulary: Vocabulary
    train: Pairs
    valid: Pairs
    n_left_out: int

    @classmethod
    def prepare(
        cls, corpus: Corpus, vocabulary: Vocabulary, *, max_sentence: int
    ) -> "TrainingData":
        """Encode the train and valid splits.

        Args:
            corpus: The corpus.
            vocabulary: The model's vocabulary.
            max_sentence: The length of the longest sentence in tokens.

        Raises:
            CorpusError: A split cannot be read.
            ValueError: No training pair is short enough.
        """
        train = encode_pairs(corpus.split("train"), vocabulary, max_tokens=max_sentence)
        valid = encode_pairs(
            corpus.split("valid"), vocabulary, max_tokens=max_sentence, overlong="truncate"
        )
        return cls(vocabulary, train.pairs, valid.pairs, train.n_overlong)

    def validation_batches(self, max_tokens: int) -> list[Batch]:
        """Return the valid split in batches of at most ``max_tokens``."""
        return list(evaluation_batches(self.valid, max_tokens=max_tokens))


def vocabulary_for(corpus: Corpus, path: Path, *, size: int, seed: int = 0) -> Vocabulary:
    """Return the vocabulary at ``path``. If the file is missing, it is trained on the corpus.

    When several processes train together, the first one makes it. The others wait and read it.

    Raises:
        VocabularyError: The vocabulary cannot be trained or read, or has another size.
    """
    with processes().main_process_first():
        if not path.exists():
            return Vocabulary.train(corpus, size=size, model_path=path, seed=seed)
    vocabulary = Vocabulary.load(path)
    if vocabulary.size != size:
        raise VocabularyError(
            f"'{path}' must hold {size} pieces. Got {vocabulary.size}; "
            "delete it or choose another folder."
        )
    return vocabulary
