"""This module evaluates how well and how fast a model translates a text."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from automoe.deployed.translator import Translation
from automoe.text import ParallelText
from devices.rounding import rounded
from devices.shown import Shown

_MIN_FOR_P90 = 64  # with fewer sentences, half a dozen of them or less would decide it


class Translates(Protocol):
    """An object that translates sentences, such as a `Translator`."""

    def translate_all(
        self,
        sentences: Sequence[str],
        *,
        batch_tokens: int = 1,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> list[Translation]:
        """Translate sentences, in their order."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class Evaluation(Shown):
    """The quality of the translations of a text, and the speed.

    Sentences without words count for the quality and not for the speed.

    Attributes:
        bleu: The corpus BLEU of sacreBLEU, 0 to 100.
        bleu_signature: The way it was computed. Scores can be compared if their signatures are
            equal.
        chrf: The corpus chrF2 of sacreBLEU, 0 to 100.
        chrf_signature: The signature of `chrf`.
        n_sentences: The number of sentences that were translated.
        n_truncated: The number of sentences that were cut because the model takes no longer ones.
        median_ms: The median latency of a sentence, or None when no sentence has words. Sentences
            that are translated together share the time.
        p90_ms: The latency that nine of ten sentences do not exceed, or None below 64 sentences.
        tokens_per_second: The number of tokens of all translations over the time for all of them,
            or None when no sentence has words.
        hypotheses: The translations, in the order of the text.
    """

    bleu: float
    bleu_signature: str
    chrf: float
    chrf_signature: str
    n_sentences: int
    n_truncated: int
    median_ms: float | None
    p90_ms: float | None
    tokens_per_second: float | None
    hypotheses: tuple[str, ...]

    def shown(self) -> dict[str, object]:
        """Return what a reader wants to know, by its name in words."""
        return {
            "BLEU": f"{self.bleu:.1f}",
            "chrF": f"{self.chrf:.1f}",
            "sentences": self.n_sentences,
            "cut sentences": self.n_truncated or None,
            "median latency": self.median_ms and f"{rounded(self.median_ms)} ms",
            "tokens per second": self.tokens_per_second,
            "BLEU signature": self.bleu_signature,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the content as JSON types."""
        return {**asdict(self), "hypotheses": list(self.hypotheses)}


def evaluate(
    translator: Translates,
    text: ParallelText,
    *,
    batch_tokens: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Translate every sentence of a text, and compare it with the reference.

    Args:
        translator: The object that translates.
        text: The sentences and their reference translations.
        batch_tokens: The most source tokens that are translated together. With 1 each sentence
            goes alone, and its latency is that of one sentence.
        on_progress: A function that is called after each sentence with the number of sentences
            done and the number of all.

    Raises:
        ValueError: The text holds no sentence.
    """
    if not len(text):
        raise ValueError("'text' must hold at least one sentence. Got none; add text.")
    translator.translate_all(text.source[:1])  # the first run allocates memory and is slower
    translations = translator.translate_all(
        text.source, batch_tokens=batch_tokens, on_progress=on_progress
    )
    return _scored(translations, text.target)


def _scored(translations: Sequence[Translation], references: Sequence[str]) -> Evaluation:
    hypotheses = tuple(translation.text for translation in translations)
    bleu, chrf = BLEU(), CHRF()
    timed = [translation for translation in translations if translation.source_tokens]
    latencies_ms = [translation.latency_ms for translation in timed]
    return Evaluation(
        bleu=bleu.corpus_score(hypotheses, [references]).score,
        bleu_signature=str(bleu.get_signature()),
        chrf=chrf.corpus_score(hypotheses, [references]).score,
        chrf_signature=str(chrf.get_signature()),
        n_sentences=len(translations),
        n_truncated=sum(translation.truncated for translation in translations),
        median_ms=float(np.median(latencies_ms)) if timed else None,
        p90_ms=float(np.quantile(latencies_ms, 0.9)) if len(timed) >= _MIN_FOR_P90 else None,
        tokens_per_second=_tokens_per_second(timed),
        hypotheses=hypotheses,
    )


def _tokens_per_second(timed: Sequence[Translation]) -> float | None:
    seconds = sum(translation.latency_ms for translation in timed) / 1000
    return sum(translation.target_tokens for translation in timed) / seconds if seconds else None
