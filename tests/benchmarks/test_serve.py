"""The benchmark of the server counts what comes back, from the moment at which it was due."""

import asyncio
from argparse import Namespace
from typing import Any

import httpx
import pytest
from support.gated_translator import BROKEN, GatedTranslator
from support.scripts import script
from support.served import metric, served

bench = script("benchmarks/bench_serve.py")


@pytest.fixture
def translator() -> GatedTranslator:
    translator = GatedTranslator()
    translator.gate.set()
    return translator


def test_the_line_has_what_came_back(
    translator: GatedTranslator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "_WARM_UP_S", 0.1)
    given = Namespace(clients=2, capacity_s=0.1, load=0.5, minutes=0.02, seed=0, beam=4, threads=1)
    with served(translator) as client:
        url = str(client.base_url)
        line = asyncio.run(bench.measured(url, ["a", "b " * 50], given))
        translated = metric(client, "automoe_sentences_total")
        refused = 'automoe_requests_total{path="/translate",status="422"}'
        assert metric(client, refused) == 1  # the long one, which is not sent again
    assert (line["refused"], line["failed"]) == (0, 0)
    assert 0 < line["sent"] < translated
    assert 0 < line["p50_ms"] <= line["p95_ms"] <= line["p99_ms"]
    assert line["p99_over_p50"] == pytest.approx(line["p99_ms"] / line["p50_ms"], rel=0.01)


@pytest.mark.parametrize(
    ("sentence", "counts"), [("a", (1, 0, 0)), ("a b", (0, 1, 0)), (BROKEN, (0, 0, 1))]
)
def test_each_answer_is_counted_once(sentence: str, counts: Any) -> None:
    statuses = {"a": 200, "a b": 429, BROKEN: 500}

    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(statuses[sentence])

    async def asked() -> Any:
        answers = bench.Answers()
        transport = httpx.MockTransport(answer)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            await bench.ask(client, sentence, bench.perf_counter() - 5.0, answers)
        return answers

    answers = asyncio.run(asked())
    assert (len(answers.latencies_ms), answers.refused, answers.failed) == counts
    assert all(latency >= 5000 for latency in answers.latencies_ms)  # it was due 5 s ago
    assert answers.late_ms[0] >= 5000
