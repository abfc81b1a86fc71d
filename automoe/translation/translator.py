"""This module translates sentences with an exported model, in this process, on the CPU.

Legend: S source tokens, B hypotheses, V vocabulary.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from automoe.export import ONNX, Bundle
from automoe.export.replay import carried, empty_cache, run_named
from automoe.export.runtime import open_session
from automoe.text import Vocabulary
from automoe.text.special_tokens import BOS, EOS, PAD
from automoe.translation.beam_search import BeamSearch, Hypothesis

VOCABULARY_FILE = "vocabulary.model"

_NEVER_PREDICTED = [PAD, BOS]  # the targets of training do not contain them


class TranslationError(ValueError):
    """A folder whose files cannot be used to translate."""


@dataclass(frozen=True, slots=True)
class Translation:
    """The translation of one sentence, with its latency and its sizes.

    Attributes:
        text: The translation, which is empty for a sentence without words.
        score: The log-probability of the translation over the length penalty.
        latency_ms: The time of encoder, decoder steps and search. Splitting the text into pieces
            and joining them is not timed.
        source_tokens: The number of tokens that the encoder read, EOS included.
        target_tokens: The number of tokens of the translation. EOS counts if the model gave it.
        truncated: Whether the sentence was too long for the model and its end was cut off.
    """

    text: str
    score: float
    latency_ms: float
    source_tokens: int
    target_tokens: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class Translator:
    """An exported model with its vocabulary. `open` returns one.

    Attributes:
        bundle: The exported model.
        vocabulary: The vocabulary that the model was trained with.
        search: The search for the best translation.
    """

    bundle: Bundle
    vocabulary: Vocabulary
    search: BeamSearch
    _encoder: Any = field(repr=False)
    _decoder: Any = field(repr=False)

    @classmethod
    def open(
        cls, folder: str | Path, *, beam: int = 4, length_penalty: float = 0.6, threads: int = 1
    ) -> "Translator":
        """Open the exported model in `folder`, which must hold `vocabulary.model` too.

        Args:
            folder: The folder of the bundle, or of a model that has its bundle in `onnx`.
            beam: The number of hypotheses that are extended together; 1 is greedy decoding.
            length_penalty: The length penalty, as in `BeamSearch`.
            threads: The number of threads of each ONNX Runtime session.

        Raises:
            ExportError: The folder holds no exported model.
            TranslationError: The folder lacks the vocabulary or has that of another model, or a
                graph cannot be loaded.
            VocabularyError: The vocabulary cannot be read.
            ValueError: `beam`, `length_penalty` or `threads` is out of range.
        """
        if threads < 1:
            raise ValueError(f"'threads' must be at least 1. Got {threads}.")
        search = BeamSearch(beam, length_penalty)
        within = Path(folder) / ONNX
        bundle = Bundle.open(within if within.is_dir() else Path(folder))
        vocabulary = _vocabulary(bundle)
        encoder, decoder = (_session(path, threads) for path in (bundle.encoder, bundle.decoder))
        return cls(bundle, vocabulary, search, encoder, decoder)

    def translate(self, sentence: str) -> Translation:
        """Translate one sentence.

        The translation has at most `2 * source_tokens + 10` tokens, and never more than the
        model has positions.

        Raises:
            ValueError: The model's scores are not finite.
        """
        pieces = self.vocabulary.encode(sentence)
        if not pieces:
            return Translation("", 0.0, 0.0, 0, 0, truncated=False)
        kept = pieces[: self.bundle.max_positions - 1]
        source = np.array([*kept, EOS], dtype=np.int64)
        start = perf_counter()
        best = self._best(source)
        latency_ms = (perf_counter() - start) * 1000
        return Translation(
            text=self.vocabulary.decode(best.tokens),
            score=self.search.score(best),
            latency_ms=latency_ms,
            source_tokens=len(source),
            target_tokens=len(best.tokens),
            truncated=len(kept) < len(pieces),
        )

    def _best(self, source_S: NDArray[np.int64]) -> Hypothesis:
        encoded = run_named(self._encoder, {"source": source_S})
        cross = {name: value for name, value in encoded.items() if name.startswith("cross_")}
        step = _DecoderStep(self._decoder, cross, empty_cache(self.bundle.config.architecture))
        # The step that reads the last position gives one more token.
        longest = min(self.bundle.max_positions, 2 * len(source_S) + 10)
        return self.search.best(step, max_tokens=longest)


class _DecoderStep:
    """The exported decoder as a `Step`.

    Args:
        session: The session of the decoder's graph.
        cross: The keys and values of the encoded sentence, which all hypotheses share.
        past: The decoder's cache before its first step, for one hypothesis.
    """

    def __init__(
        self,
        session: Any,
        cross: Mapping[str, NDArray[np.float32]],
        past: Mapping[str, NDArray[np.float32]],
    ) -> None:
        self._session = session
        self._cross = cross
        self._past = past
        self._n_read = 0

    def __call__(
        self, parent_B: NDArray[np.int64], token_B: NDArray[np.int64]
    ) -> NDArray[np.floating[Any]]:
        """Return the log-probabilities of the next token, `[B, V]`."""
        position = np.array([self._n_read], dtype=np.int64)
        past = {name: value[parent_B] for name, value in self._past.items()}
        outputs = run_named(
            self._session, {"token": token_B, "position": position, **self._cross, **past}
        )
        self._past = carried(outputs)
        self._n_read += 1
        log_probability_BV: NDArray[np.float32] = log_softmax(outputs["logits"], axis=1)
        log_probability_BV[:, _NEVER_PREDICTED] = -np.inf
        return log_probability_BV


def _vocabulary(bundle: Bundle) -> Vocabulary:
    path = bundle.folder / VOCABULARY_FILE
    if not path.is_file():
        raise TranslationError(
            f"No vocabulary in '{bundle.folder}' ({VOCABULARY_FILE} is missing). "
            "Copy the one that the model was trained with there."
        )
    vocabulary = Vocabulary.load(path)
    if vocabulary.size != bundle.config.vocab_size:
        raise TranslationError(
            f"'{path}' must have {bundle.config.vocab_size} pieces, as the model has. "
            f"Got {vocabulary.size}; copy the one that the model was trained with there."
        )
    return vocabulary


def _session(path: Path, threads: int) -> Any:
    try:
        return open_session(path, threads=threads)
    except Exception as error:  # ONNX Runtime's exceptions share no other base class
        reason = " ".join(str(error).split())
        raise TranslationError(
            f"'{path}' cannot be loaded: {reason:.300} Export the model again."
        ) from None
