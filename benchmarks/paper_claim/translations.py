"""This module scores translations, with what intervals and comparisons need of each sentence."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from automoe.text import ParallelText
from automoe.translation import Translates, evaluate

_RESAMPLES = 1000


def scored(translator: Translates, text: ParallelText) -> dict[str, Any]:
    """Translate a text and return its scores, as JSON types.

    The interval of chrF is sacreBLEU's own: 1000 resamples of the sentences, 95 %.
    """
    score = evaluate(translator, text)
    content = score.to_dict()
    content |= _chrf(score.hypotheses, text.target)
    content["statistics"] = sentence_statistics(score.hypotheses, text.target).tolist()
    return content


def _chrf(hypotheses: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """Return the half-width of the interval of chrF, and the signature that says how it was drawn.

    The half-width is None for translations that are so bad that a resample has chrF 0, of which
    sacreBLEU cannot compute a mean.
    """
    metric = CHRF()
    try:
        drawn = metric.corpus_score(hypotheses, [references], n_bootstrap=_RESAMPLES)
    except TypeError:
        return {"chrf_half_width": None}
    signature = str(metric.get_signature())
    shown = json.loads(drawn.format(width=4, signature=signature, is_json=True))
    return {"chrf_half_width": shown.get("confidence_var"), "chrf_signature": signature}


def sentence_statistics(hypotheses: Sequence[str], references: Sequence[str]) -> NDArray[np.int64]:
    """Return what BLEU adds up over sentences, ``[N, 10]``.

    The columns are the counts of correct n-grams of 1 to 4 words, those of all n-grams, and the
    lengths of hypothesis and reference.
    """
    metric = BLEU()
    rows = []
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        score = metric.corpus_score([hypothesis], [[reference]])
        rows.append([*score.counts, *score.totals, score.sys_len, score.ref_len])
    return np.array(rows, dtype=np.int64)
