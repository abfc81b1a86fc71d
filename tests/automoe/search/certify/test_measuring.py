import csv
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.progress import no_progress
from automoe.search import Bench
from automoe.search.certify import measuring as module
from devices import DeviceUnavailableError, get_device
from devices.opening import opened_device
from profilers import FailedPoint, LogError, Protocol, read_log


@pytest.fixture
def bench(space: SearchSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("AUTOMOE_SIMULATED", "noise=0.01")
    protocol = replace(
        Protocol.fast(), min_rounds=2, max_rounds=2, warmup_seconds=0.0, decide_ms=1e6
    )
    return Bench(
        opened=partial(opened_device, "simulated"),
        info=get_device("simulated").info(),
        protocol=protocol,
        workload=TranslationWorkload.of(space),
        space=space,
        log=tmp_path / "verification.csv",
        graphs=tmp_path / "graphs",
    )


@pytest.fixture
def drawn(space: SearchSpace) -> list[Architecture]:
    rng = Random(0)
    return list(dict.fromkeys(space.sample(rng) for _ in range(4)))[:2]


def test_what_the_log_holds_is_not_measured_again(bench: Bench, drawn: list[Architecture]) -> None:
    first = bench.measure(drawn, no_progress)
    rows = {row["point_id"]: row for row in read_log(bench.log)}
    for architecture, found in first.items():
        assert found is not None
        assert found.latency_ms == float(rows[architecture.id]["latency_ms"])
        assert found.ci_low_ms < found.latency_ms < found.ci_high_ms
    before = bench.log.read_bytes()
    assert bench.measure(drawn, no_progress) == first
    assert bench.log.read_bytes() == before


def test_the_second_time_is_a_session_of_its_own_at_the_same_level(
    bench: Bench, drawn: list[Architecture]
) -> None:
    # A simulated point has the same noise in every session of the same seed.
    first = bench.measure(drawn, no_progress)
    again = bench.measure_again(drawn[1], no_progress)
    assert again is not None
    assert again != first[drawn[1]]
    assert again.latency_ms == pytest.approx(first[drawn[1]].latency_ms, rel=0.05)  # type: ignore[union-attr]
    second = bench.log.with_name("verification-again.csv")
    levels = {row["sentinel_reference_ms"] for log in (bench.log, second) for row in read_log(log)}
    assert len(levels) == 1
    assert len(read_log(second)) == 1
    assert bench.measure_again(drawn[1], no_progress) == again


def test_the_time_it_took_is_remembered(bench: Bench, drawn: list[Architecture]) -> None:
    assert bench.seconds == 0
    bench.measure(drawn, no_progress)
    first = bench.seconds
    bench.measure_again(drawn[0], no_progress)
    assert 0 < first < bench.seconds == replace(bench).seconds


def test_the_time_counts_when_the_device_goes_away(
    bench: Bench, drawn: list[Architecture], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "profile_architectures", lost)
    with pytest.raises(KeyboardInterrupt):
        bench.measure(drawn, no_progress)
    assert bench.seconds > 0


def test_what_failed_is_not_tried_again(
    bench: Bench, drawn: list[Architecture], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = module.profile_architectures, list[list[Architecture]]()

    def one_fails(some: Any, **more: Any) -> Any:
        asked.append(list(some))
        more["on_failed"](FailedPoint(drawn[0].id, "it crashed", {}))
        real([a for a in some if a != drawn[0]], **more)
        raise KeyboardInterrupt  # what failed before is known all the same

    monkeypatch.setattr(module, "profile_architectures", one_fails)
    with pytest.raises(KeyboardInterrupt):
        bench.measure(drawn, no_progress)
    found = bench.measure(drawn, no_progress)
    assert found[drawn[0]] is None
    assert found[drawn[1]] is not None
    assert asked == [drawn]
    assert bench.failures == {drawn[0].id: "it crashed"}


def test_what_is_known_needs_no_device_and_no_time(bench: Bench, drawn: list[Architecture]) -> None:
    first = bench.measure(drawn, no_progress)
    again = bench.measure_again(drawn[0], no_progress)
    seconds = bench.seconds

    def gone() -> Any:
        raise DeviceUnavailableError("It is gone.")

    without = replace(bench, opened=gone)
    assert without.measure(drawn, no_progress) == first
    assert without.measure_again(drawn[0], no_progress) == again
    assert without.seconds == seconds


def test_a_kill_costs_no_more_than_the_last_seconds(
    bench: Bench, drawn: list[Architecture], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_NOTE_SECONDS", 0.0)
    seen: list[float] = []
    bench.measure(drawn, lambda done, total, note="": seen.append(bench.seconds))
    assert seen == sorted(seen)
    assert 0 < seen[-1] < bench.seconds


def test_a_second_log_of_another_search_is_refused(bench: Bench, drawn: list[Architecture]) -> None:
    bench.measure(drawn[:1], no_progress)
    bench.measure_again(drawn[0], no_progress)
    rows = bench.log.read_text().splitlines()
    level = rows[0].split(",").index("sentinel_reference_ms")
    cells = next(csv.reader([rows[1]]))
    cells[level] = str(2 * float(cells[level]))
    with bench.log.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([rows[0].split(","), cells])
    with pytest.raises(LogError, match=r"belong to different searches.* or measure again: rm "):
        bench.measure_again(drawn[0], no_progress)


@pytest.mark.parametrize("log", ["verification.csv", "verification-again.csv"])
def test_what_another_device_measured_is_refused_though_nothing_is_left_to_measure(
    bench: Bench, drawn: list[Architecture], log: str
) -> None:
    bench.measure(drawn[:1], no_progress)
    bench.measure_again(drawn[0], no_progress)
    other = replace(bench, info=replace(bench.info, power_mode="15W"))
    message = f"'power_mode' must be .*{log}. Got '15W'.* Choose another output, or measure again"
    if log == "verification.csv":
        with pytest.raises(LogError, match=message):
            other.measure(drawn[:1], no_progress)
    else:
        with pytest.raises(LogError, match=message):
            other.measure_again(drawn[0], no_progress)


@pytest.mark.parametrize(("name", "value"), [("power_mode", "15W"), ("system", "another kernel")])
def test_a_device_that_has_changed_since_the_search_began_is_not_measured(
    name: str, value: str, bench: Bench, drawn: list[Architecture]
) -> None:
    before = replace(bench, info=replace(bench.info, **{name: value}))
    with pytest.raises(DeviceUnavailableError, match="must be .* as when the search began. Got"):
        before.measure(drawn, no_progress)
    assert not bench.log.exists()


def test_what_failed_on_another_device_is_tried_here(
    bench: Bench, drawn: list[Architecture], monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_fail(some: Any, **more: Any) -> Any:
        for architecture in some:
            more["on_failed"](FailedPoint(architecture.id, "no runtime", {}))

    with monkeypatch.context() as patched:
        patched.setattr(module, "profile_architectures", all_fail)
        assert set(bench.measure(drawn, no_progress).values()) == {None}
    monkeypatch.setenv("AUTOMOE_SIMULATED", "noise=0.02")
    other = replace(bench, info=get_device("simulated").info())
    assert other.failures == {}
    assert None not in other.measure(drawn, no_progress).values()


def test_what_another_budget_decided_is_refused(bench: Bench, drawn: list[Architecture]) -> None:
    (found,) = bench.measure(drawn[:1], no_progress).values()
    assert found is not None
    with bench.log.open() as file:
        header, row = csv.reader(file)
    row[header.index("stop_reason")] = "decided"
    with bench.log.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, row])
    near = replace(bench, protocol=replace(bench.protocol, decide_ms=found.latency_ms))
    with pytest.raises(LogError, match="was measured for another budget, which decided"):
        near.measure(drawn[:1], no_progress)
    far = replace(bench, protocol=replace(bench.protocol, decide_ms=2 * found.latency_ms))
    assert far.measure(drawn[:1], no_progress) == {drawn[0]: found}


def test_a_damaged_journal_is_refused(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "verification.journal.jsonl").write_text('{"seconds": 1}\n')
    with pytest.raises(LogError, match=r"verification.journal.jsonl' is damaged .* Delete it"):
        bench.seconds  # noqa: B018 - it reads a file


def test_what_another_runtime_measured_is_refused_though_nothing_is_left_to_measure(
    bench: Bench, drawn: list[Architecture]
) -> None:
    bench.measure(drawn[:1], no_progress)
    with bench.log.open() as file:
        header, row = csv.reader(file)
    row[header.index("runtime")] = "onnxruntime 1.23.2"
    with bench.log.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, row])
    of_tensorrt = replace(bench, runtime="tensorrt")
    message = "'runtime' must be 'onnxruntime' .* Got 'tensorrt'.* or measure again: rm "
    with pytest.raises(LogError, match=message):
        of_tensorrt.measure(drawn[:1], no_progress)
    bench.measure(drawn[:1], no_progress)
