from typing import Any

import pytest

from automoe.report.verdict import headline_of, remark_of, verdict_of


def _with_flags(result: dict[str, Any], winner: list[str], dense: list[str]) -> dict[str, Any]:
    baseline = result["baseline"]
    return {
        **result,
        "latency_ms": {**result["latency_ms"], "flags": winner},
        "baseline": {**baseline, "latency_ms": {**baseline["latency_ms"], "flags": dense}},
    }


def test_the_headline_compares_with_the_largest_dense_model(result: dict[str, Any]) -> None:
    # 6.25 ms over 12.5 ms.
    both = {**result, "bleu": 2.04, "baseline": {**result["baseline"], "bleu": 1.96}}
    assert headline_of(both) == (
        "0.50 times the latency of the largest dense model at BLEU 2.0 against 2.0"
    )


@pytest.mark.parametrize("baseline", [None, {}, {"latency_ms": {"measured": None}}])
def test_the_headline_leaves_out_what_is_unknown(result: dict[str, Any], baseline: Any) -> None:
    assert headline_of({**result, "baseline": baseline}) == ""


def test_a_certified_result_without_flags_is_good(result: dict[str, Any]) -> None:
    verdict = verdict_of(result)
    assert (verdict.word, verdict.kind, verdict.remark) == ("Certified", "good", "")


def test_flags_make_a_certified_result_doubtful_and_are_explained(result: dict[str, Any]) -> None:
    verdict = verdict_of(_with_flags(result, ["contended"], ["contended", "throttled"]))
    assert (verdict.word, verdict.kind) == ("Certified, with flagged measurements", "doubtful")
    assert verdict.remark.startswith(
        "The measurement of the winner and the largest dense model is flagged "
        "(contended: other programs used the cores; throttled: "
    )
    assert "fits the budget as well" in verdict.remark


def test_flags_of_the_baseline_alone_count_for_the_ratio(result: dict[str, Any]) -> None:
    verdict = verdict_of(_with_flags(result, [], ["contended"]))
    assert verdict.kind == "doubtful"
    assert verdict.remark.startswith("The measurement of the largest dense model is flagged")


def test_without_a_baseline_nothing_is_said_of_a_ratio(result: dict[str, Any]) -> None:
    flagged = _with_flags(result, ["ci_unmet"], [])
    del flagged["baseline"]
    assert remark_of(flagged).startswith("The measurement of the winner is flagged (ci_unmet: ")
    assert "ratio" not in remark_of(flagged)


@pytest.mark.parametrize(
    "flags", [["ci_unmet"], ["restarted", "sentinel_drift"], ["threads", "contended"]]
)
def test_only_what_makes_a_latency_longer_is_said_to(
    result: dict[str, Any], flags: list[str]
) -> None:
    certified = verdict_of(_with_flags(result, flags, []))
    assert "longer" not in certified.remark
    assert "The ratio to the largest dense model is less sure" in certified.remark
    refused = verdict_of(_with_flags({**result, "certified": False}, flags, []))
    assert refused.remark.endswith(").")


def test_an_uncertified_result_stays_bad(result: dict[str, Any]) -> None:
    verdict = verdict_of(_with_flags({**result, "certified": False}, ["contended"], []))
    assert (verdict.word, verdict.kind) == ("Not certified", "bad")
    assert "more may fit on an idle machine" in verdict.remark
