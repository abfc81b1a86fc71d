import json
from dataclasses import replace

import pytest

from automoe.architecture.routing_pattern import RoutingPattern, RoutingTrace
from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload, WorkloadTextError


@pytest.mark.parametrize("beam", [1, 5])
@pytest.mark.parametrize("routing", ["balanced", "skewed:1.5", "worst"])
def test_text_round_trip(tiny: SearchSpace, beam: int, routing: str) -> None:
    workload = TranslationWorkload.of(tiny, beam=beam, routing=RoutingPattern.parse(routing))
    assert TranslationWorkload.parse(str(workload)) == workload


@pytest.mark.parametrize(
    "text",
    [
        "",
        "src=3",
        "src=3 tgt=x vocab=9 tables=1 beam=1 routing=worst",
        "src=3 tgt=3 vocab=9 tables=3 beam=1 routing=worst",
        "src=3 tgt=3 vocab=9 tables=1 beam=0 routing=worst",
        "src=3 tgt=3 vocab=9 tables=1 beam=1 routing=any",
        "src=3 tgt=3 vocab=9 tables=1 beam=1 routing=worst more=1",
    ],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(WorkloadTextError, match="A workload must read like"):
        TranslationWorkload.parse(text)


def test_sizes_are_positive() -> None:
    with pytest.raises(ValueError, match="'beam' must be at least 1. Got 0"):
        TranslationWorkload(3, 3, 10, beam=0)


def test_the_text_is_stable() -> None:
    workload = TranslationWorkload(3, 4, 50, shared_embeddings=False, beam=5)
    assert str(workload) == "src=3 tgt=4 vocab=50 tables=2 beam=5 routing=balanced"
    assert TranslationWorkload.parse(str(workload)) == workload


def test_a_batch_is_said_only_when_there_is_one() -> None:
    text = "src=3 tgt=4 vocab=50 tables=1 beam=2 batch=8 routing=balanced"
    workload = TranslationWorkload.parse(text)
    assert (workload.batch, str(workload)) == (8, text)
    assert "batch" not in str(TranslationWorkload(3, 4, 50))
    with pytest.raises(ValueError, match="'batch' must be at least 1. Got 0."):
        TranslationWorkload(3, 4, 50, batch=0)


def test_a_batch_multiplies_work_but_not_weights(tiny: SearchSpace) -> None:
    one = TranslationWorkload.of(tiny).cost(tiny.largest())
    eight = TranslationWorkload.of(tiny, batch=8).cost(tiny.largest())
    assert eight.flops == 8 * one.flops
    assert eight.projection_flops == 8 * one.projection_flops
    assert eight.params == one.params
    assert one.decoder.experts_touched < eight.decoder.experts_touched


def test_a_precision_is_said_only_when_it_is_not_fp32(tiny: SearchSpace) -> None:
    workload = TranslationWorkload.of(tiny)
    assert "precision" not in str(workload)
    coarse = replace(workload, precision="int8")
    assert "beam=1 precision=int8 routing=balanced" in str(coarse)
    assert TranslationWorkload.parse(str(coarse)) == coarse
    few = replace(coarse, shortlist=20)
    assert "precision=int8 shortlist=20 routing=balanced" in str(few)
    assert TranslationWorkload.parse(str(few)) == few
    with pytest.raises(ValueError, match=r"'shortlist' must be at most \d+, the vocabulary"):
        replace(workload, shortlist=workload.vocab_size + 1)
    with pytest.raises(
        ValueError, match=r"'precision' must be one of fp32, fp16, int8, .* Got 'fp8'"
    ):
        replace(workload, precision="fp8")


def traced(tiny: SearchSpace) -> TranslationWorkload:
    trace = RoutingTrace(encoder=((9, 3),), decoder=((5, 7, 0), (1, 1, 1)))
    routing = RoutingPattern("trace", digest=trace.digest, trace=trace)
    return TranslationWorkload.of(tiny, beam=5, routing=routing)


def test_a_trace_is_restored_from_the_content(tiny: SearchSpace) -> None:
    workload = traced(tiny)
    content = json.loads(workload.to_json())
    assert TranslationWorkload.restore(str(workload), content) == workload
    known = TranslationWorkload.restore(str(workload))  # a log of 0.1.0 has the text alone
    assert (known.routing.trace, str(known)) == (None, str(workload))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"beam": 4}, "is of another one"),
        ({"routing": {"kind": "balanced"}}, "is of another one"),
        ({"src_len": "many"}, "is damaged"),
    ],
)
def test_a_content_of_another_text_is_refused(
    tiny: SearchSpace, change: dict[str, object], message: str
) -> None:
    workload = traced(tiny)
    content = {**json.loads(workload.to_json()), **change}
    with pytest.raises(WorkloadTextError, match=message):
        TranslationWorkload.restore(str(workload), content)


def test_counts_of_another_trace_are_refused(tiny: SearchSpace) -> None:
    workload = traced(tiny)
    content = json.loads(workload.to_json())
    content["routing"]["trace"]["encoder"][0][0] = 8
    with pytest.raises(WorkloadTextError, match="is of another one"):
        TranslationWorkload.restore(str(workload), content)
