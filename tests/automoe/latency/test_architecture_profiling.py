import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support.measurements import made_up
from support.scripted import CommandDevice
from support.small_text import small_space

from automoe.architecture.architecture import Architecture
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.export import WorkloadWriter
from automoe.latency import architecture_profiling as profiling
from automoe.latency.architecture_profiling import (
    ProfileSummary,
    profile_architectures,
)
from automoe.latency.features import features
from devices import Device, get_device
from devices.simulated_roofline import Simulation
from profilers import (
    FailedPoint,
    LatencyLog,
    LogError,
    Measurement,
    Point,
    Protocol,
    costs_of_workload,
    read_log,
)
from profilers.measuring import session as session_of_points
from profilers.workers.simulated import SimulatedWorker

SPACE = small_space()
WORKLOAD = TranslationWorkload.of(SPACE)
DEVICE: Device = CommandDevice("")


class Session:
    """Stands for `measure_points`: prepares each point, then answers at once."""

    def __init__(self, failing: Sequence[str] = (), after: Callable[[], None] | None = None):
        self.failing = failing
        self.after = after
        self.sentinels: list[str] = []
        self.files: list[Path] = []
        self.levels: list[float | None] = []
        self.asked: list[str] = []

    def __call__(
        self, points: Sequence[Point], *, device: Device, protocol: Protocol, **more: Any
    ) -> Iterator[Measurement | FailedPoint]:
        self.sentinels.append(more["sentinel"].name)
        assert more["sentinel"].workload.is_file()
        self.files.append(more["sentinel"].workload)
        self.levels.append(more["sentinel"].reference_ms)
        for point in points:
            self.asked.append(point.point_id)
            assert point.resolve().is_file()
            if point.point_id in self.failing:
                yield FailedPoint(point.point_id, "it broke", point.columns)
            else:
                yield made_up(
                    point.point_id,
                    columns=dict(point.columns),
                    threads=protocol.threads,
                    sentinel=more["sentinel"].name,
                    sentinel_reference_ms=more["sentinel"].reference_ms or 1.0,
                )
            if self.after:
                self.after()


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    session = Session()
    monkeypatch.setattr(profiling, "measure_points", session)
    return session


@pytest.fixture
def chosen() -> list[Architecture]:
    rng = Random(3)
    drawn = dict.fromkeys(SPACE.sample(rng) for _ in range(20))
    return [a for a in drawn if a != SPACE.smallest()][:4]


def profile(
    chosen: Sequence[Architecture],
    folder: Path,
    *,
    workload: TranslationWorkload = WORKLOAD,
    **changes: Any,
) -> ProfileSummary:
    settings = {
        "device": DEVICE,
        "protocol": Protocol(),
        "log": folder / "lat.csv",
        "graphs": folder / "graphs",
        "space": SPACE,
    }
    return profile_architectures(chosen, workload=workload, **{**settings, **changes})


def test_a_row_holds_the_architecture_and_its_features(
    session: Session, chosen: list[Architecture], tmp_path: Path
) -> None:
    assert profile(chosen, tmp_path) == ProfileSummary(4, 0, 0, (), {"A": 4})
    rows = read_log(tmp_path / "lat.csv")
    assert [row["point_id"] for row in rows] == [a.id for a in chosen]
    for row, architecture in zip(rows, chosen, strict=True):
        assert row["workload"] == str(WORKLOAD)
        assert row["space"] == "small"
        assert Architecture.from_json(row["architecture"]) == architecture
        for name, value in features(architecture, WORKLOAD).items():
            assert float(row[name]) == pytest.approx(value)


def test_what_the_log_holds_is_not_measured_again(
    session: Session, chosen: list[Architecture], tmp_path: Path
) -> None:
    profile(chosen[:2], tmp_path)
    again = profile([*chosen, chosen[0]], tmp_path)
    assert (again.n_measured, again.n_skipped) == (2, 2)
    assert session.asked == [a.id for a in chosen]
    assert profile(chosen, tmp_path) == ProfileSummary(0, 4, 0, (), {})


def test_a_keyword_that_no_session_has_is_refused(
    session: Session, chosen: list[Architecture], tmp_path: Path
) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'spaec'"):
        profile(chosen, tmp_path, spaec=SPACE)
    assert not session.asked


@pytest.mark.parametrize("already", [2, 4])
def test_other_conditions_are_refused_even_when_nothing_is_left(
    session: Session, chosen: list[Architecture], tmp_path: Path, already: int
) -> None:
    profile(chosen[:already], tmp_path)
    with pytest.raises(LogError, match="'workload' must be .*beam=1.* Got .*beam=2"):
        profile(chosen, tmp_path, workload=replace(WORKLOAD, beam=2))
    with pytest.raises(LogError, match="'threads' must be '1' .* Got '2'"):
        profile(chosen, tmp_path, protocol=Protocol(threads=2))
    assert len(session.asked) == already


def test_a_resumed_session_has_the_same_sentinel(
    session: Session, chosen: list[Architecture], tmp_path: Path
) -> None:
    profile(chosen[:2], tmp_path, space=None)
    profile(chosen, tmp_path, space=None)
    assert session.sentinels == [f"{chosen[0].id} src=6 tgt=6 beam=1"] * 2
    (tmp_path / "lat.csv").unlink()
    profile(chosen, tmp_path)
    space_s = session.sentinels[-1]
    profile(chosen, tmp_path, log=tmp_path / "other.csv")
    assert session.sentinels[-1] == space_s != session.sentinels[0]


@pytest.mark.parametrize("beam", [1, 5])
def test_the_sentinel_translates_the_whole_sentence_with_one_hypothesis(
    session: Session, chosen: list[Architecture], tmp_path: Path, beam: int
) -> None:
    # Its name would be the same with the wrong sentence, so the costs of its file are compared.
    costs: list[float] = []
    session.after = lambda: costs.append(costs_of_workload(session.files[-1]).flops)
    workload = replace(WORKLOAD, beam=beam, batch=2)
    profile(chosen[:1], tmp_path, workload=workload, space=None)
    alone = WorkloadWriter(tmp_path / "alone", WORKLOAD).write(chosen[0])
    assert costs == [costs_of_workload(alone).flops]


@pytest.mark.parametrize("as_reference", [False, True])
def test_a_log_of_an_earlier_version_keeps_its_shorter_sentinel(
    session: Session, chosen: list[Architecture], tmp_path: Path, as_reference: bool
) -> None:
    # A fifth of six tokens, rounded up.
    name = f"{chosen[0].id} src=2 tgt=2"
    earlier = made_up(
        "earlier",
        sentinel=name,
        sentinel_reference_ms=1.5,
        columns={"workload": str(WORKLOAD)},
    )
    log = tmp_path / "earlier.csv"
    profiling.LatencyLog(log).append(earlier)
    if as_reference:
        profile(chosen, tmp_path, space=None, reference=log)
    else:
        with pytest.raises(LogError, match="The columns must be"):  # the row above has few
            profile(chosen, tmp_path, space=None, log=log)
    assert (session.sentinels, session.levels) == ([name], [1.5])


def test_a_reference_sets_the_sentinels_level(
    session: Session, chosen: list[Architecture], tmp_path: Path
) -> None:
    reference, new = tmp_path / "reference.csv", tmp_path / "new.csv"
    conditions = {"workload": str(WORKLOAD)}
    profile(chosen[:1], tmp_path, log=tmp_path / "first.csv")
    sentinel = session.sentinels[0]
    earlier = made_up(sentinel=sentinel, sentinel_reference_ms=1.5, columns=conditions)
    profiling.LatencyLog(reference).append(earlier)
    profile(chosen, tmp_path, reference=reference)
    assert session.levels == [None, 1.5]
    profiling.LatencyLog(tmp_path / "own.csv").append(
        made_up(sentinel=sentinel, sentinel_reference_ms=1.25, columns=conditions)
    )
    with pytest.raises(LogError, match=r"own.csv is corrected to, 1.25 ms. Got .*1.5 ms. Use an"):
        profile(chosen, tmp_path, log=tmp_path / "own.csv", reference=reference)
    with pytest.raises(LogError, match="'workload' must be .*beam=1.* Got .*beam=2"):
        profile(
            chosen,
            tmp_path,
            log=new,
            reference=reference,
            workload=replace(WORKLOAD, beam=2),
        )
    with pytest.raises(LogError, match=r"must have rows with the sentinel .* Got '.* beam=1'"):
        profile(chosen, tmp_path, log=new, reference=reference, space=None)
    with pytest.raises(LogError, match="missing.csv does not exist"):
        profile(chosen, tmp_path, log=new, reference=tmp_path / "missing.csv")


@pytest.mark.parametrize("space", [SPACE, None])
def test_graphs_go_when_their_row_is_written(
    session: Session, chosen: list[Architecture], tmp_path: Path, space: object
) -> None:
    graphs = tmp_path / "graphs"
    seen: list[set[str]] = []
    session.after = lambda: seen.append({p.name.partition(".")[0] for p in graphs.iterdir()})
    session.failing = [chosen[2].id]
    profile(chosen, tmp_path, space=space)
    # Looked at when the caller comes back for the next point: this one's row is written then.
    (sentinel,) = {name for name in seen[0] if name.startswith("sentinel-")}
    assert seen == [{"weights", sentinel}] * 4
    assert not graphs.exists()


def test_failures_and_flags_are_counted(
    session: Session, chosen: list[Architecture], tmp_path: Path
) -> None:
    session.failing = [chosen[1].id]
    summary = profile(chosen, tmp_path)
    assert (summary.n_measured, summary.n_flagged) == (3, 0)
    assert [(f.point_id, f.reason) for f in summary.failed] == [(chosen[1].id, "it broke")]
    session.failing = []
    assert profile(chosen, tmp_path).n_measured == 1  # a failure is tried again


def test_two_sessions_do_not_measure_into_one_log(
    session: Session, chosen: list[Architecture], tmp_path: Path
) -> None:
    def again() -> None:
        session.after = None
        with pytest.raises(LogError, match=r"lat.csv is being measured into by another session"):
            profile(chosen, tmp_path)

    session.after = again
    assert profile(chosen, tmp_path).n_measured == 4


def test_another_sentinel_than_the_logs_is_refused(
    session: Session, chosen: list[Architecture], tmp_path: Path
) -> None:
    profile(chosen[:2], tmp_path)
    with pytest.raises(LogError, match="begun with another space.* Repeat its --space, --max-exp"):
        profile(chosen, tmp_path, space=None)


def test_several_devices_share_the_work(
    chosen: list[Architecture], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOMOE_SIMULATED", "noise=0.01")
    first, second = (get_device("simulated") for _ in range(2))
    how = {"protocol": replace(Protocol.fast(), chunk_size=1), "device": first}
    summary = profile(chosen, tmp_path, more_devices=[second], **how)
    assert (summary.n_measured, summary.failed) == (4, ())
    rows = read_log(tmp_path / "lat.csv")
    assert {row["point_id"] for row in rows} == {a.id for a in chosen}
    assert len({row["sentinel_reference_ms"] for row in rows}) == 1
    assert not (tmp_path / "graphs").exists()
    # Resumed, they have the level that is in the log.
    more = [SPACE.largest(), SPACE.smallest()]
    profile(more, tmp_path, more_devices=[second], **how)
    rows = read_log(tmp_path / "lat.csv")
    assert len(rows) == 6
    assert len({row["sentinel_reference_ms"] for row in rows}) == 1


def test_devices_that_differ_cannot_share_a_log(chosen: list[Architecture], tmp_path: Path) -> None:
    other = CommandDevice("")
    other.info = lambda: replace(DEVICE.info(), machine="aarch64")  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="'devices' must be alike to share one log"):
        profile(chosen, tmp_path, more_devices=[other])


class InProcess:
    """A simulated worker without a process of its own."""

    def __init__(self, device: Device, timeout_s: float) -> None:
        number, settings = device.worker_command(Path())[-2:]
        self.worker = SimulatedWorker(Simulation.parse(settings), int(number))
        self.hello = self.worker.hello({})

    def __enter__(self) -> "InProcess":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def request(self, op: str, **fields: Any) -> dict[str, Any]:
        reply: dict[str, Any] = self.worker.answer(json.dumps({"op": op, **fields}).encode())
        assert "error" not in reply, reply
        return reply


@pytest.mark.parametrize("n_before", [1, 3])
def test_a_simulated_session_goes_on_as_if_nothing_had_happened(
    n_before: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_of_points, "_worker_on", InProcess)
    monkeypatch.setenv("AUTOMOE_SIMULATED", "noise=0.03,seed=2")
    drawn = list(dict.fromkeys(SPACE.sample(Random(i)) for i in range(30)))[:5]
    protocol = replace(Protocol.fast(), chunk_size=2, max_rounds=5, target_half_width=0.01)

    def measured(folder: Path) -> list[dict[str, str]]:
        profile(drawn, folder, protocol=protocol, device=get_device("simulated"))
        rows = read_log(folder / "lat.csv")
        return [{x: y for x, y in row.items() if x != "measured_at"} for row in rows]

    whole = measured(tmp_path / "whole")
    assert len({row["n_blocks"] for row in whole}) > 1  # points end in different rounds
    append, written = LatencyLog.append, list[Measurement]()

    def killed(log: LatencyLog, row: Measurement) -> None:
        if len(written) == n_before:
            raise KeyboardInterrupt
        written.append(row)
        append(log, row)

    with monkeypatch.context() as during:
        during.setattr(LatencyLog, "append", killed)
        with pytest.raises(KeyboardInterrupt):
            measured(tmp_path / "cut")
    assert len(written) == n_before
    assert measured(tmp_path / "cut") == whole
