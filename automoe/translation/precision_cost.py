"""This module tells what a precision or a shortlist costs in quality, against float32."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from automoe.deployed.translator import Translator
from automoe.export import Bundle, export_model
from automoe.supernet import Transformer
from automoe.text import ParallelText, Vocabulary
from automoe.translation.evaluation import evaluate


@dataclass(frozen=True, slots=True)
class PrecisionCost:
    """The quality of a bundle, and of the same model in float32 without a shortlist.

    Attributes:
        n_sentences: The number of sentences that were translated.
        bleu: The corpus BLEU of the bundle, 0 to 100.
        bleu_fp32: The corpus BLEU of the model in float32.
        chrf: The corpus chrF2 of the bundle, 0 to 100.
        chrf_fp32: The corpus chrF2 of the model in float32.
        n_changed: The number of sentences whose translation differs.
    """

    n_sentences: int
    bleu: float
    bleu_fp32: float
    chrf: float
    chrf_fp32: float
    n_changed: int

    def to_dict(self) -> dict[str, Any]:
        """Return the content as JSON types."""
        return asdict(self)


def precision_cost(
    model: Transformer,
    vocabulary: Vocabulary,
    bundle: Bundle,
    text: ParallelText,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> PrecisionCost:
    """Translate a text with a bundle, and with the same model in float32 without a shortlist.

    Args:
        model: The model that was exported.
        vocabulary: Its vocabulary.
        bundle: The bundle, with its vocabulary.
        text: The sentences and their reference translations.
        on_progress: A function that is called with the number of translations done and of all.

    Raises:
        TranslationError: The bundle lacks its vocabulary.
        ValueError: The text holds no sentence.
    """
    with TemporaryDirectory(prefix="automoe-fp32-") as name:
        exact = export_model(
            model, Path(name), vocabulary=vocabulary, max_positions=bundle.max_positions
        )
        done = 0

        def advance(n_done: int, n_all: int) -> None:
            if on_progress:
                on_progress(done + n_done, 2 * n_all)

        coarse = evaluate(Translator.open(bundle.folder), text, on_progress=advance)
        done = len(text)
        fine = evaluate(Translator.open(exact.folder), text, on_progress=advance)
    pairs = zip(coarse.hypotheses, fine.hypotheses, strict=True)
    return PrecisionCost(
        n_sentences=len(text),
        bleu=coarse.bleu,
        bleu_fp32=fine.bleu,
        chrf=coarse.chrf,
        chrf_fp32=fine.chrf,
        n_changed=sum(ours != theirs for ours, theirs in pairs),
    )
