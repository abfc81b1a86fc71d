import json
from random import Random

import numpy as np
import pytest
from paper_claim.bootstrap import Estimate, Statistics, bleu, difference, mean_bleu
from paper_claim.translations import sentence_statistics
from sacrebleu.metrics.bleu import BLEU

WORDS = [f"word{n}" for n in range(40)]


def translations(n: int, *, right: float, seed: int) -> tuple[list[str], list[str]]:
    """References of 12 words, and copies in which each word is right with this probability."""
    rng = Random(seed)
    references = [reference(line) for line in range(n)]
    hypotheses = [
        " ".join(w if rng.random() < right else rng.choice(WORDS) for w in line.split())
        for line in references
    ]
    return hypotheses, references


def reference(line: int) -> str:
    rng = Random(f"line {line}")
    return " ".join(rng.choice(WORDS) for _ in range(12))


def statistics(n: int, *, right: float, seed: int) -> Statistics:
    return sentence_statistics(*translations(n, right=right, seed=seed))


def test_bleu_is_that_of_sacrebleu() -> None:
    hypotheses, references = translations(50, right=0.8, seed=1)
    expected = BLEU().corpus_score(hypotheses, [references]).score
    assert bleu(sentence_statistics(hypotheses, references)) == pytest.approx(expected, abs=1e-9)


def test_the_interval_of_one_training_is_about_that_of_sacrebleu() -> None:
    hypotheses, references = translations(300, right=0.8, seed=1)
    metric = BLEU()
    drawn = metric.corpus_score(hypotheses, [references], n_bootstrap=1000)
    shown = drawn.format(width=4, signature=str(metric.get_signature()), is_json=True)
    estimate = mean_bleu([sentence_statistics(hypotheses, references)])
    half_width = (estimate.high - estimate.low) / 2
    assert half_width == pytest.approx(json.loads(shown)["confidence_var"], rel=0.1)
    assert estimate.low < estimate.value < estimate.high


def test_a_model_does_not_differ_from_itself() -> None:
    same = [statistics(60, right=0.8, seed=1)]
    estimate = difference(same, same)
    assert (estimate.value, estimate.low, estimate.high) == (0, 0, 0)


def test_a_better_model_is_better_on_the_same_sentences() -> None:
    better, worse = (
        [statistics(200, right=right, seed=seed) for seed in range(3)] for right in (0.9, 0.7)
    )
    estimate = difference(better, worse)
    expected = np.mean([bleu(x) for x in better]) - np.mean([bleu(x) for x in worse])
    assert estimate.value == pytest.approx(expected)
    assert estimate.low > 0


def test_trainings_that_differ_widen_the_interval() -> None:
    alike = [statistics(200, right=0.8, seed=seed) for seed in range(3)]
    different = [statistics(200, right=right, seed=1) for right in (0.7, 0.8, 0.9)]
    narrow, wide = mean_bleu(alike), mean_bleu(different)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_the_interval_holds_the_mean_of_all_trainings() -> None:
    """The truth is the mean over many trainings; three are seen. 87 % is what 3 draws can give."""
    rng = np.random.default_rng(5)
    rights = 0.85 + 0.04 * rng.standard_normal(60)
    population = [statistics(120, right=right, seed=n) for n, right in enumerate(rights)]
    truth = np.mean([bleu(each) for each in population])
    held = 0
    for repetition in range(40):
        chosen = rng.choice(60, size=3, replace=False)
        estimate = mean_bleu([population[n] for n in chosen], seed=repetition)
        held += estimate.low <= truth <= estimate.high
    assert held >= 33


def test_ends_of_a_printed_interval_are_rounded_outward() -> None:
    assert Estimate(20.04, 19.89, 20.11).shown(1) == "20.0 (19.8 to 20.2)"
    assert Estimate(0.5, -0.21, 1.19).shown(1, signed=True) == "+0.5 (-0.3 to +1.2)"
    assert Estimate(-0.62, -1.28, -0.07).shown(1, signed=True) == "-0.6 (-1.3 to +0.0)"
    assert Estimate(0.9, 0.8, 0.95).shown(2) == "0.90 (0.80 to 0.95)"
