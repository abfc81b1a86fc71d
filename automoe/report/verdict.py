"""This module says in a few sentences what came out of a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from automoe.report.flags import explained
from profilers.measuring.disturbance import CONTENDED, SLOW_CLOCK, THREADS, THROTTLED

_SLOWING = {CONTENDED, THROTTLED, SLOW_CLOCK}
_SLOWED = {
    True: "Such a disturbance makes a latency longer, so the latency of an idle machine fits the "
    "budget as well.",
    False: "Such a disturbance makes a latency longer, so more may fit on an idle machine: measure "
    "again when nothing else runs.",
}
_RATIO = (
    "The ratio to the largest dense model is less sure: measure on an idle machine before you rely "
    "on it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The verdict of a run, for a reader.

    Attributes:
        headline: The latency and the quality of the winner, relative to the largest dense model.
        word: The verdict in a word or two.
        kind: The colour of the verdict: `good`, `doubtful` or `bad`.
        reason: The reason of the verdict, with its numbers.
        remark: What the flags of the measurements mean for the verdict; empty without flags.
    """

    headline: str
    word: str
    kind: str
    reason: str
    remark: str


def verdict_of(result: Mapping[str, Any]) -> Verdict:
    """Return the verdict of a run from the content of its `result.json`."""
    is_certified = bool(result["certified"])
    remark = remark_of(result)
    word = "Certified" if is_certified else "Not certified"
    kind = "good" if is_certified else "bad"
    if remark and is_certified:
        word, kind = "Certified, with flagged measurements", "doubtful"
    return Verdict(
        headline=headline_of(result),
        word=word,
        kind=kind,
        reason=result["reason"],
        remark=remark,
    )


def remark_of(result: Mapping[str, Any]) -> str:
    """Return what the flags of the measurements mean for a result; empty without flags."""
    is_certified = bool(result["certified"])
    entries = {"winner": result, "largest dense model": result.get("baseline") or {}}
    flags = {
        name: (entry.get("latency_ms") or {}).get("flags") or [] for name, entry in entries.items()
    }
    names = " and the ".join(name for name in flags if flags[name])
    if not names:
        return ""
    every = dict.fromkeys(flag for of_one in flags.values() for flag in of_one)
    sentences = [f"The measurement of the {names} is flagged ({explained(every)})."]
    if _SLOWING.intersection(every) and THREADS not in every:  # more threads make it shorter
        sentences.append(_SLOWED[is_certified])
    if is_certified and "baseline" in result:
        sentences.append(_RATIO)
    return " ".join(sentences)


def headline_of(result: Mapping[str, Any]) -> str:
    """Return the result in one line: latency and BLEU relative to the largest dense model.

    What was not measured is left out. Return an empty text when nothing is known.
    """
    dense = result.get("baseline") or {}
    ms, dense_ms = ((entry.get("latency_ms") or {}).get("measured") for entry in (result, dense))
    parts = []
    if ms and dense_ms:
        parts.append(f"{ms / dense_ms:.2f} times the latency of the largest dense model")
    bleu, dense_bleu = result.get("bleu"), dense.get("bleu")
    if bleu is not None and dense_bleu is not None:
        parts.append(f"BLEU {bleu:.1f} against {dense_bleu:.1f}")
    return " at ".join(parts)
