"""A real server answers real clients, also while some of them misbehave."""

import json
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.gated_translator import BROKEN, GatedTranslator
from support.served import answer_on, begun, metric, served, translation, wait_for_waiting
from support.waiting import wait_until

from automoe.deployed.translator import Translator

SENTENCES = ["the old tree", "das alte Haus ist hoch", "is the house tall", "der Baum", "alt"]


@pytest.fixture
def pool() -> Any:
    with ThreadPoolExecutor(16) as executor:
        yield executor


def answers_of(futures: list[Future[httpx.Response]]) -> list[int]:
    return [future.result(60).status_code for future in futures]


def test_concurrent_clients_get_what_they_get_alone(folder: Path, pool: Any) -> None:
    translator = Translator.open(folder)
    alone = [translator.translate(sentence) for sentence in SENTENCES]
    with served(translator, max_wait_ms=50.0) as client:
        asked = [SENTENCES[i % 5 :] if i % 2 else SENTENCES[i % 5] for i in range(20)]
        bodies = [{"text": text} for text in asked]
        together = list(pool.map(lambda body: client.post("/translate", json=body), bodies))
        assert metric(client, "automoe_batch_sentences_count") < 20  # some were together
    for i, answer in enumerate(together):
        assert answer.status_code == 200
        content = answer.json()
        texts, scores = [x.text for x in alone], [x.score for x in alone]
        expected = texts[i % 5 :] if i % 2 else texts[i % 5]
        assert content["translation"] == expected
        assert content["score"] == pytest.approx(
            scores[i % 5 :] if i % 2 else scores[i % 5], abs=1e-4
        )
        assert set(content) == {"translation", "score"}


def test_requests_that_arrive_together_are_translated_together(
    gated: GatedTranslator, pool: Any
) -> None:
    with served(gated) as client:
        first = pool.submit(translation, client, "first")
        wait_until(lambda: gated.batches == [["first"]])
        others = [pool.submit(translation, client, text) for text in ("a", ["b", "c"])]
        wait_for_waiting(client, 3)
        gated.gate.set()
        assert first.result(60) == "FIRST"
        assert [other.result(60) for other in others] == ["A", ["B", "C"]]
    assert sorted(gated.batches[1]) == ["a", "b", "c"]


def test_clients_that_hang_or_dribble_stop_nobody(gated: GatedTranslator) -> None:
    gated.gate.set()
    body = b'{"text": "slow"}'
    with served(gated, grace_s=0.0) as client:
        silent = begun(client, b"", declared=100)
        hanging = begun(client, body[:5], declared=100)
        slow = begun(client, body[:1], declared=len(body))
        for byte in body[1:]:
            assert translation(client, "quick") == "QUICK"
            slow.sendall(bytes([byte]))
        status, received = answer_on(slow)
        assert (status, json.loads(received)["translation"]) == (200, "SLOW")
        for connection in (silent, hanging, slow):
            connection.close()


def test_a_body_that_does_not_come_is_given_up(gated: GatedTranslator) -> None:
    with served(gated, body_s=0.05) as client:
        with begun(client, b"{", declared=10) as connection:
            status, received = answer_on(connection)
        assert status == 408
        assert json.loads(received)["error"].startswith("The body took more than 0.05 s.")


def test_a_client_that_went_away_is_not_translated(gated: GatedTranslator, pool: Any) -> None:
    with served(gated) as client:
        first = pool.submit(translation, client, "first")
        wait_until(lambda: gated.batches == [["first"]])
        leaving = begun(client, b'{"text": ["gone", "gone too"]}')
        wait_for_waiting(client, 2)
        leaving.close()
        wait_for_waiting(client, 0)
        halfway = begun(client, b'{"text": ', declared=100)
        halfway.close()
        stays = pool.submit(translation, client, "stays")
        wait_for_waiting(client, 1)
        gated.gate.set()
        assert (first.result(60), stays.result(60)) == ("FIRST", "STAYS")
        gone = 'automoe_requests_total{path="/translate",status="499"}'
        wait_until(lambda: metric(client, gone) == 2)
        assert metric(client, "automoe_sentences_total") == 2
    assert gated.batches == [["first"], ["stays"]]


def test_what_has_no_room_is_refused_and_later_requests_succeed(
    gated: GatedTranslator, pool: Any
) -> None:
    with served(gated, queue=2) as client:
        first = pool.submit(translation, client, "first")
        wait_until(lambda: gated.batches == [["first"]])
        waiting = pool.submit(translation, client, ["a", "b"])
        wait_for_waiting(client, 2)
        for _ in range(3):
            refused = client.post("/translate", json={"text": "c"})
            assert refused.status_code == 429
            assert int(refused.headers["Retry-After"]) >= 1
            assert refused.json()["error"].startswith("2 sentences may wait, and too many do.")
        assert client.get("/health").status_code == 200
        gated.gate.set()
        assert (first.result(60), waiting.result(60)) == ("FIRST", ["A", "B"])
        assert translation(client, "c") == "C"
        assert metric(client, 'automoe_requests_total{path="/translate",status="429"}') == 3


def test_an_error_of_a_translation_is_told_and_counted(
    gated: GatedTranslator, caplog: pytest.LogCaptureFixture
) -> None:
    gated.gate.set()
    line = "The translation failed. ValueError: the scores are not finite"
    with served(gated) as client:
        for text in (BROKEN, ["good", BROKEN]):
            failed = client.post("/translate", json={"text": text})
            assert (failed.status_code, failed.json()) == (500, {"error": line})
        assert translation(client, "good") == "GOOD"
        assert metric(client, 'automoe_requests_total{path="/translate",status="500"}') == 2
    assert caplog.messages == ["A translation failed. ValueError: the scores are not finite"] * 2


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason"),
    [
        ("GET", "/", b"", 404, "Not Found: 'GET /'. There are POST /translate, GET /health and"),
        ("POST", "/translate/", b"{}", 404, "Not Found: 'POST /translate/'."),
        ("GET", "/docs", b"", 404, "Not Found"),
        ("GET", "/translate", b"", 405, "Method Not Allowed: 'GET /translate'. There are POST"),
        ("DELETE", "/health", b"", 405, "Method Not Allowed: 'DELETE /health'."),
        ("POST", "/translate", b"\xff", 400, "The body is not UTF-8: byte 1 is 0xff; send"),
        ("POST", "/translate", b"nothing", 400, "The body is not JSON: "),
        ("POST", "/translate", b'{"text": []}', 422, "'text' must have at least one sentence."),
        ("POST", "/translate", b"x" * 1001, 413, "The body must have at most 1000 bytes; send"),
        ("POST", "/translate", b'{"text": ["", "", ""]}', 413, "at most 2 sentences. Got 3"),
    ],
)
def test_bad_requests_are_refused_with_the_reason(
    gated: GatedTranslator, method: str, path: str, body: bytes, status: int, reason: str
) -> None:
    with served(gated, body_bytes=1000, queue=2) as client:
        refused = client.request(method, path, content=body)
        assert refused.status_code == status
        assert reason in refused.json()["error"]
        assert refused.json().keys() == {"error"}
        known = path if path in {"/translate", "/health"} else "other"
        assert metric(client, f'automoe_requests_total{{path="{known}",status="{status}"}}') == 1
    assert gated.batches == []


def test_a_body_of_unknown_length_is_bounded(gated: GatedTranslator) -> None:
    with served(gated, body_bytes=1000) as client:
        refused = client.post("/translate", content=(b"x" * 100 for _ in range(11)))
        assert refused.status_code == 413


def test_metrics_count_what_happened(gated: GatedTranslator) -> None:
    gated.gate.set()
    with served(gated) as client:
        assert translation(client, ["one two", "three"]) == ["ONE TWO", "THREE"]
        assert translation(client, "four") == "FOUR"
        client.get("/nowhere")
        answer = client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=")
        counts = {
            'automoe_requests_total{path="/translate",status="200"}': 2,
            'automoe_requests_total{path="other",status="404"}': 1,
            "automoe_request_seconds_count": 2,
            "automoe_sentences_total": 3,
            'automoe_tokens_total{side="source"}': 3 + 2 + 2,
            'automoe_tokens_total{side="target"}': 3 * 2,
            "automoe_batch_sentences_count": 2,
            'automoe_batch_sentences_bucket{le="1.0"}': 1,
            "automoe_batch_sentences_sum": 3,
            "automoe_batch_seconds_count": 2,
            "automoe_queue_sentences": 0,
        }
        assert {name: metric(client, name) for name in counts} == counts


def test_health_tells_the_model(gated: GatedTranslator) -> None:
    with served(gated) as client:
        answer = client.get("/health")
        assert answer.status_code == 200
        assert answer.json() == {"status": "ok", "architecture_id": "gated", "precision": "fp32"}
