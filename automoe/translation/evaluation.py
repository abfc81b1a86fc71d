"""The quality and the speed with which a model translates a text of known translation."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from automoe.text import ParallelText
from automoe.translation.translator import Translation

_MIN_FOR_P90 = 64  # of fewer sentences, half a dozen or less would decide it


class Translates(Protocol):
    """A thing that can be evaluated: a `Translator`, or anything else that translates."""

    def translate(self, sentence: str) -> Translation:
        """Translate one sentence."""
        ...


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Quality and speed over a text.

    Sentences without words count for the quality and not for the speed.

    Attributes:
        bleu: Corpus BLEU of sacreBLEU, 0 to 100.
        bleu_signature: How it was computed; scores with other signatures do not compare.
        chrf: Corpus chrF2 of sacreBLEU, 0 to 100.
        chrf_signature: As `bleu_signature`.
        n_sentences: Sentences translated.
        n_truncated: Sentences that lost their end because they were too long for the model.
        median_ms: Median latency of a sentence, as `Translation.latency_ms`; None without any.
        p90_ms: The latency that nine of ten sentences keep; None below 64 sentences.
        tokens_per_second: Tokens of all translations over the time for all of them; None
            without any.
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

    def to_dict(self) -> dict[str, Any]:
        """The content as JSON types."""
        return {**asdict(self), "hypotheses": list(self.hypotheses)}


def evaluate(
    translator: Translates,
    text: ParallelText,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Translate every sentence of a text, one at a time, and compare with its translation.

    Args:
        translator: What translates.
        text: The sentences and their reference translations.
        on_progress: Called after each sentence with the number translated and that of all.

    Raises:
        ValueError: The text holds no sentence.
    """
    if not len(text):
        raise ValueError("'text' must hold at least one sentence. Got none; add text.")
    translator.translate(text.source[0])  # a session's first run allocates, and is not typical
    translations = []
    for n_done, sentence in enumerate(text.source, start=1):
        translations.append(translator.translate(sentence))
        if on_progress:
            on_progress(n_done, len(text))
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
