"""Claim: an exported model gives the logits, the experts and the translations of torch.

    python benchmarks/bench_parity.py MODEL [--architecture FILE] [--text FOLDER] [--sentences 500]

`MODEL` is a trained model, or a supernet with the architecture of the subnet to export. The
sentences are the first of the test split of its text, or of `--text`. In float32 the graphs read
each sentence and its reference, token by token: `max_difference` is the largest difference of a
logit, `n_different_choices` counts tokens that went to another expert. Then the bundle translates
the sentences together with beam 4, and torch one by one; torch reads each hypothesis from its
beginning in every step, without padding and without a cache that could be wrong. One JSON line is
printed.
"""

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from automoe.architecture.architecture_files import read_architecture
from automoe.deployed.beam_search import BeamSearch
from automoe.deployed.translator import Translator
from automoe.export import check_parity, export_model
from automoe.supernet import Transformer, extract
from automoe.text import Vocabulary, encode_pairs, open_corpus
from automoe.text.special_tokens import BOS, EOS, PAD
from automoe.training.model_folder import TrainedModel
from automoe.training.supernet_run import remembered_corpus

_MAX_POSITIONS = 256
_BATCH_TOKENS = 1024


class TorchStep:
    """The step of a beam search over one sentence, computed by torch from the first token on.

    Legend: R hypotheses, S source tokens, T target tokens, V vocabulary.
    """

    def __init__(self, model: Transformer, source: list[int]) -> None:
        self._model = model
        self._source = source
        self._rows: list[list[int]] = [[]]

    def __call__(self, token_R: Any, parent_R: Any, kept_B: Any, n_best: int) -> tuple[Any, Any]:
        """See `automoe.deployed.beam_search.Step`."""
        pairs = zip(parent_R.tolist(), token_R.tolist(), strict=True)
        self._rows = [[*self._rows[parent], token] for parent, token in pairs]
        with torch.no_grad():
            source_RS = torch.tensor([self._source] * len(self._rows))
            logits_RTV = self._model(source_RS, torch.tensor(self._rows)).logits_BTV
        log_probability_RV = logits_RTV[:, -1].log_softmax(dim=-1)
        log_probability_RV[:, [PAD, BOS]] = -torch.inf
        best = log_probability_RV.topk(n_best, dim=1)
        return best.values.numpy(), best.indices.numpy()


def in_torch(model: Transformer, vocabulary: Vocabulary, sentence: str, search: BeamSearch) -> str:
    """Return the translation of a sentence."""
    pieces = vocabulary.encode(sentence)
    if not pieces:
        return ""
    source = [*pieces[: _MAX_POSITIONS - 1], EOS]
    most = min(_MAX_POSITIONS, 2 * len(source) + 10)
    (best,) = search.best(TorchStep(model, source), max_tokens=[most])
    return vocabulary.decode([token for token in best.tokens if token != EOS])


def loaded(folder: Path, architecture: Path | None) -> tuple[Transformer, Vocabulary]:
    """Return the model to export, and its vocabulary."""
    trained = TrainedModel.load(folder)
    if architecture is None:
        return trained.model, trained.vocabulary
    return extract(trained.model, read_architecture(architecture)), trained.vocabulary


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--architecture", type=Path)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--sentences", type=int, default=500)
    given = parser.parse_args()
    torch.set_num_threads(1)
    model, vocabulary = loaded(given.model, given.architecture)
    corpus = remembered_corpus(given.model) if given.text is None else open_corpus(given.text)
    text = corpus.split("test").first(given.sentences)
    pairs = encode_pairs(text, vocabulary, max_tokens=_MAX_POSITIONS).pairs
    with TemporaryDirectory() as name:
        bundle = export_model(
            model, Path(name), vocabulary=vocabulary, max_positions=_MAX_POSITIONS
        )
        parity = check_parity(model, bundle, pairs=pairs)
        translator = Translator.open(bundle.folder)
        translations = translator.translate_all(text.source, batch_tokens=_BATCH_TOKENS)
    theirs = [in_torch(model, vocabulary, x, translator.search) for x in text.source]
    n_same = sum(ours.text == other for ours, other in zip(translations, theirs, strict=True))
    figures = {
        "architecture_id": model.config.architecture.id,
        "n_sentences": len(text),
        "n_compared": len(pairs),
        "n_tokens": int(np.sum(pairs.target_lengths)),
        "max_difference": parity.max_difference,
        "n_choices": parity.n_choices,
        "n_different_choices": parity.n_different_choices,
        "beam": translator.search.beam,
        "same_translations": n_same / len(text),
        "words_of_a_translation": sum(len(other.split()) for other in theirs) / len(text),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
