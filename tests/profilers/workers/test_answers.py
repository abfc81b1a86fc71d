import json
from typing import Any

import pytest

from profilers import WorkerError
from profilers.workers.local import read_reply

SAMPLE = {"wall_ms": 2.0, "cpu_ms": 1, "call_ms": {"model": 2.0}, "group": 0}
BLOCK = {
    "samples": [SAMPLE, SAMPLE],
    "sentinel_ms": [[1.0], [1.0, 1.1]],
    "before": {"clock_ms": 1.0, "throttled_now": False},
    "after": {"cpu_mhz": None},
}


def read(op: str, reply: Any, **request: object) -> dict[str, Any]:
    asked = {"op": op, "seq": 4, "samples": 2, "sentinel": "s", **request}
    return read_reply(json.dumps(reply), asked, "'cpu'")


def test_a_right_answer_is_returned_as_it_is() -> None:
    assert read("block", {**BLOCK, "seq": 4}) == BLOCK


@pytest.mark.parametrize(
    ("op", "reply", "message"),
    [
        ("hello", {"runtime": "x", "pid": 1}, "field 'runtime_version' is"),
        ("hello", {"runtime": "x", "runtime_version": "1", "pid": "1"}, "field 'pid' is '1'"),
        ("load", {}, "field 'load_ms'"),
        ("load", {"load_ms": None}, "field 'load_ms' is None"),
        ("load", {"load_ms": float("nan")}, "field 'load_ms' is nan|not valid JSON|NaN"),
        ("warmup", {"runs": 1, "seconds": 1, "settled": 1, "first_ms": 1, "run_ms": 1}, "settled"),
        ("warmup", {"runs": 0, "seconds": 1, "settled": True, "first_ms": 1, "run_ms": 1}, "runs"),
        ("routing", {"tokens_per_expert": {"r": [1, -1]}}, "field 'tokens_per_expert.r.1' is -1"),
        ("block", {**BLOCK, "samples": []}, "field 'samples' is \\[\\]"),
        ("block", {**BLOCK, "samples": [SAMPLE]}, "it took 1 samples of 2"),
        ("block", {**BLOCK, "samples": [SAMPLE, {**SAMPLE, "wall_ms": 0}]}, "samples.1.wall_ms"),
        ("block", {**BLOCK, "samples": [SAMPLE, {**SAMPLE, "more": 0}]}, "samples.1.more"),
        ("block", {**BLOCK, "samples": [SAMPLE, {**SAMPLE, "call_ms": {}}]}, "different calls"),
        (
            "block",
            {**BLOCK, "samples": [SAMPLE, {**SAMPLE, "group": 2}]},
            "2 times around 3 groups",
        ),
        ("block", {**BLOCK, "sentinel_ms": [[1.0]]}, "read the sentinel 1 times around 1 groups"),
        ("block", {**BLOCK, "sentinel_ms": [[1.0], []]}, "field 'sentinel_ms.1'"),
        ("block", {**BLOCK, "before": {"clock_ms": "1"}}, "field 'before.clock_ms"),
        ("block", {**BLOCK, "seq": 3}, "the answer to another request"),
        ("block", {**BLOCK, "after": {"clock_ms": 10**400}}, "field 'after.clock_ms"),
        ("outputs", [], "which is not an object"),
    ],
)
def test_what_is_wrong_is_named(op: str, reply: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(op, reply)


def test_an_error_has_no_control_characters() -> None:
    with pytest.raises(WorkerError, match="^The worker on 'cpu' failed in 'load': \ufffd\\[31mno$"):
        read("load", {"error": "\x1b[31mno"})
