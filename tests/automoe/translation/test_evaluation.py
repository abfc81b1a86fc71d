import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import sacrebleu

from automoe.text import ParallelText
from automoe.translation import Evaluation, Translation, Translator, evaluate

REFERENCES = ("Das Haus ist alt.", "Der Baum ist sehr hoch.", "Der alte Baum steht am Haus.")
HYPOTHESES = ("Das Haus ist alt.", "Der Baum ist hoch.", "Ein Baum steht am alten Haus.")


class Reader:
    """Says what it is told: 'translates' each sentence to itself, in 1, 2, 3, ... ms."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def translate_all(
        self,
        sentences: Sequence[str],
        *,
        batch_tokens: int = 1,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> list[Translation]:
        translations = []
        for n_done, sentence in enumerate(sentences, start=1):
            n_tokens = len(sentence.split())
            latency_ms = float(len(self.seen))  # the first call, 0 ms, is the warm-up
            self.seen.append(sentence)
            of = (sentence, -1.0, latency_ms, n_tokens, n_tokens)
            translations.append(Translation(*of, "long" in sentence))
            if on_progress is not None:
                on_progress(n_done, len(sentences))
        return translations


def read(hypotheses: tuple[str, ...], references: tuple[str, ...]) -> Evaluation:
    return evaluate(Reader(), ParallelText(hypotheses, references))


def test_scores_are_those_of_sacrebleu() -> None:
    evaluation = read(HYPOTHESES, REFERENCES)
    bleu = sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES])
    assert 0 < evaluation.bleu < 100
    assert evaluation.bleu == bleu.score
    assert evaluation.chrf == sacrebleu.corpus_chrf(HYPOTHESES, [REFERENCES]).score
    assert evaluation.bleu_signature.startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp")
    assert evaluation.chrf_signature.startswith("nrefs:1|case:mixed|eff:yes|nc:6|nw:0")
    assert sacrebleu.__version__ in evaluation.bleu_signature


def test_the_reference_itself_is_perfect() -> None:
    evaluation = read(REFERENCES, REFERENCES)
    assert evaluation.bleu == pytest.approx(100)
    assert evaluation.chrf == pytest.approx(100)


def test_keeps_translations_in_order() -> None:
    evaluation = read(HYPOTHESES, REFERENCES)
    assert evaluation.hypotheses == HYPOTHESES
    assert evaluation.n_sentences == 3


def test_speed_by_hand() -> None:
    evaluation = read(("a b c", "a long one d", "a b"), ("x", "y", "z"))
    assert evaluation.median_ms == 2  # of 1, 2, 3
    assert evaluation.tokens_per_second == pytest.approx((3 + 4 + 2) / 0.006)
    assert evaluation.n_truncated == 1


@pytest.mark.parametrize(("n", "p90_ms"), [(63, None), (64, 57.7)])  # 1 + 0.9 * 63
def test_tail_latency_needs_enough_sentences(n: int, p90_ms: float | None) -> None:
    evaluation = read(("a",) * n, ("b",) * n)
    assert evaluation.p90_ms == (p90_ms and pytest.approx(p90_ms))


def test_sentences_without_words_do_not_count_for_the_speed() -> None:
    evaluation = read(("a b", "", "c d"), ("a", "b", "c"))
    assert (evaluation.n_sentences, evaluation.median_ms) == (3, 2)  # of 1 and 3
    alone = read(("",), ("b",))
    assert (alone.median_ms, alone.tokens_per_second) == (None, None)


def test_reports_progress() -> None:
    seen = []
    text = ParallelText(HYPOTHESES, REFERENCES)
    evaluate(Reader(), text, on_progress=lambda *progress: seen.append(progress))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_the_content_is_json() -> None:
    evaluation = read(HYPOTHESES, REFERENCES)
    content = evaluation.to_dict()
    assert json.loads(json.dumps(content)) == content
    assert content["bleu"] == evaluation.bleu
    assert content["hypotheses"] == list(HYPOTHESES)


def test_an_exported_model_is_evaluated(folder: Path) -> None:
    translator = Translator.open(folder, beam=2)
    text = ParallelText(("the house", "the old tree"), ("das Haus", "der alte Baum"))
    evaluation = evaluate(translator, text)
    assert evaluation.hypotheses == tuple(translator.translate(s).text for s in text.source)
    assert evaluation.median_ms is not None
    assert evaluation.median_ms > 0


def test_refuses_no_text() -> None:
    with pytest.raises(ValueError, match="^'text' must hold at least one sentence. Got none"):
        evaluate(Reader(), ParallelText((), ()))
