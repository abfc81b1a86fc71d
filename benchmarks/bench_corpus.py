"""Claim: under 1 % of a batch is padding, and a corpus needs less than half the memory and time.

    python benchmarks/bench_corpus.py CORPUS [--source en] [--target de] [--vocab-size 8000]
        [--max-tokens 1024 4096] [--vocabulary FILE] [--train ours before]

CORPUS is a folder with the splits train, valid and test. Of two figures the first one is of this
release and the second one of the release before, measured in this process. Times are seconds of
processor time, because they depend less on other programs:

- `vocabulary_s`: the time of training a vocabulary. Before, SentencePiece read up to a million
  sentences and began with up to a million candidates. `--train ours` trains only one of the two.
- `pieces`: the mean number of pieces of a sentence of the valid and test splits.
- `encode_s`: the time of encoding the train split. Before, it was sentence by sentence.
- `mb`: the memory of the train split's pairs in megabytes. Before, they were `Pair` objects, whose
  memory is traced on a tenth of the pairs.
- `padding`: the padding of an epoch in percent: the share of PAD among the numbers of `source_BS`
  and `target_in_BT`, for each number of tokens. Before, pairs were sorted by the length of the
  longer sentence, and each batch was filled.
- `n_batches`: the number of batches of an epoch.

`digest_s` is the time of the digest by which a training recognises its pairs, and `batches_s` is
that of building the batches of an epoch. With `--vocabulary` nothing is trained; with `--train`
vocabularies are trained and nothing else is measured.
"""

import argparse
import hashlib
import io
import json
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import sentencepiece

from automoe.text import (
    Corpus,
    Pairs,
    ParallelText,
    Vocabulary,
    encode_pairs,
    open_corpus,
    token_batches,
)
from automoe.text.special_tokens import BOS, EOS, PAD, UNK

T = TypeVar("T")
_TRACED = 10  # one in so many pairs is traced


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--source", default="en")
    parser.add_argument("--target", default="de")
    parser.add_argument("--vocab-size", type=int, default=8000)
    parser.add_argument("--max-tokens", type=int, nargs="+", default=[1024, 4096])
    parser.add_argument("--vocabulary", type=Path)
    parser.add_argument("--train", nargs="+", choices=["ours", "before"])
    given = parser.parse_args()
    corpus = open_corpus(given.corpus, source=given.source, target=given.target)
    text = corpus.split("train")
    line: dict[str, Any] = {"sentences": 2 * len(text)}
    if given.vocabulary is None:
        names = given.train or ["ours", "before"]
        vocabulary, of_vocabulary = trained(corpus, text, given.vocab_size, names)
        line |= of_vocabulary
    else:
        vocabulary = Vocabulary.load(given.vocabulary)
    if not given.train:
        line |= of_pairs(text, vocabulary, given.max_tokens)
    print(json.dumps(line, default=float))


def of_pairs(text: ParallelText, vocabulary: Vocabulary, max_tokens: list[int]) -> dict[str, Any]:
    """Return the figures of encoding, memory and batches."""
    encoded, seconds = timed(lambda: encode_pairs(text, vocabulary, max_tokens=250))
    pairs = encoded.pairs
    _, before = timed(lambda: [vocabulary.encode(x) for x in (*text.source, *text.target)])
    return {
        "encode_s": [seconds, before],
        "mb": [(pairs.ids.nbytes + pairs.edges.nbytes) / 1e6, traced_mb(pairs)],
        "digest_s": timed(lambda: digest(pairs))[1],
        **{f"of_{n}_tokens": of_batches(pairs, n) for n in max_tokens},
    }


def trained(
    corpus: Corpus, text: ParallelText, size: int, names: list[str]
) -> tuple[Vocabulary, dict[str, list[float]]]:
    """Train vocabularies as today and as in the release before. Return the first one."""
    splits = corpus.split("valid"), corpus.split("test")
    held_out = [sentence for split in splits for sentence in (*split.source, *split.target)]
    ways = {
        "ours": partial(trained_now, corpus, size),
        "before": partial(trained_before, text, size),
    }
    vocabularies, seconds = zip(*(timed(ways[name]) for name in names), strict=True)
    pieces = [sum(map(len, v.encode_all(held_out))) / len(held_out) for v in vocabularies]
    return vocabularies[0], {"vocabulary_s": list(seconds), "pieces": pieces}


def trained_now(corpus: Corpus, size: int) -> Vocabulary:
    with tempfile.TemporaryDirectory() as folder:
        return Vocabulary.train(corpus, size=size, model_path=Path(folder) / "vocabulary.model")


def trained_before(text: ParallelText, size: int) -> Vocabulary:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter((*text.source, *text.target)),
        model_writer=model,
        normalization_rule_name="identity",
        max_sentence_length=1 << 16,
        minloglevel=2,
        pad_id=PAD,
        bos_id=BOS,
        eos_id=EOS,
        unk_id=UNK,
        vocab_size=size,
        character_coverage=1.0,
    )
    return Vocabulary(model.getvalue())


def traced_mb(pairs: Pairs) -> float:
    some = pairs[::_TRACED]
    tracemalloc.start()
    objects = tuple(some)
    n_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return n_bytes * len(pairs) / len(objects) / 1e6


def digest(pairs: Pairs) -> str:
    """Compute what `automoe.training.trainer` computes of the pairs."""
    content = hashlib.sha256()
    for pair in pairs:
        content.update(repr((pair.source, pair.target)).encode())
    return content.hexdigest()


def of_batches(pairs: Pairs, max_tokens: int) -> dict[str, Any]:
    """Return the padding and the number of batches of an epoch, today and before."""
    n_tokens = int(pairs.source_lengths.sum() + pairs.target_lengths.sum())

    def cells() -> list[int]:
        epoch = token_batches(pairs, max_tokens=max_tokens, seed=0, epoch=0)
        return [batch.source_BS.numel() + batch.target_in_BT.numel() for batch in epoch]

    ours, seconds = timed(cells)
    before = cells_before(pairs, max_tokens)
    padding = [100 * (1 - n_tokens / sum(numbers)) for numbers in (ours, before)]
    return {"padding": padding, "n_batches": [len(ours), len(before)], "batches_s": seconds}


def cells_before(pairs: Pairs, max_tokens: int) -> list[int]:
    """Sort by the longer sentence, in random order where it is equal, and fill each batch."""
    shuffled = np.random.default_rng(0).permutation(len(pairs))
    order = shuffled[np.argsort(pairs.lengths[shuffled], kind="stable")]
    cuts = [0]
    for position, length in enumerate(pairs.lengths[order].tolist()):
        if (position + 1 - cuts[-1]) * length > max_tokens:
            cuts.append(position)
    widths = sum(
        np.maximum.reduceat(lengths[order], cuts)
        for lengths in (pairs.source_lengths, pairs.target_lengths)
    )
    cells: list[int] = (np.diff([*cuts, len(order)]) * widths).tolist()
    return cells


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """Return what a call returns and its processor time in seconds."""
    start = time.process_time()
    value = call()
    return value, time.process_time() - start


if __name__ == "__main__":
    main()
