"""This package reads parallel text: corpora, vocabularies and batches."""

from automoe.text.batches import (
    Batch,
    batches_per_epoch,
    evaluation_batches,
    token_batches,
    training_batches,
)
from automoe.text.corpus import (
    Corpus,
    CorpusError,
    ParallelText,
    Split,
    default_corpus_folder,
    open_corpus,
)
from automoe.text.pairs import EncodedPairs, Pair, Pairs, drawn_pairs, encode_pairs
from automoe.text.vocabulary import Vocabulary, VocabularyError

__all__ = [
    "Batch",
    "Corpus",
    "CorpusError",
    "EncodedPairs",
    "Pair",
    "Pairs",
    "ParallelText",
    "Split",
    "Vocabulary",
    "VocabularyError",
    "batches_per_epoch",
    "default_corpus_folder",
    "drawn_pairs",
    "encode_pairs",
    "evaluation_batches",
    "open_corpus",
    "token_batches",
    "training_batches",
]
