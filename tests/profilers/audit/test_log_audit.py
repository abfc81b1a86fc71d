from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.logs import at, write_log
from support.measurements import made_up
from support.scripted import INFO

from profilers import (
    LatencyLog,
    LogError,
    audit_log,
    check,
    merge,
    read_log,
    samples_path,
    summarise,
)
from profilers.audit import log_audit


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lat.csv"


def test_a_summary_tells_what_a_log_holds(path: Path) -> None:
    write_log(
        path,
        {"latency_ms": 30.0, "flags": ("contended", "ci_unmet"), "measured_at": at(9)},
        {"latency_ms": 10.0, "flags": ("contended",), "measured_at": at(5)},
        {
            "latency_ms": 12.0,
            "point_id": "p0",
            "device": replace(INFO, name="other"),
            "quality": "C",
        },
    )
    summary = summarise(path)
    assert (summary.rows, summary.points) == (3, 2)
    assert summary.devices == tuple(
        f"{name} Scripted CPU {INFO.fingerprint}" for name in ("other", "scripted")
    )
    assert summary.runtimes == ("onnxruntime 1.2.3",)
    assert summary.flags == {"contended": 2, "ci_unmet": 1}
    assert summary.qualities == {"A": 2, "C": 1}
    latencies = (summary.latency_min_ms, summary.latency_median_ms, summary.latency_max_ms)
    assert latencies == (10.0, 12.0, 30.0)
    assert (summary.first_at, summary.last_at) == (at(2), at(9))


def test_a_log_without_rows_has_a_summary_too(path: Path) -> None:
    header = write_log(path, {}).read_bytes().splitlines(keepends=True)[0]
    path.write_bytes(header)
    summary = summarise(path)
    assert (summary.rows, summary.devices, summary.flags) == (0, (), {})
    assert (summary.latency_median_ms, summary.first_at) == (None, None)
    assert check(path) == ()


@pytest.mark.parametrize("read", [summarise, check, lambda path: merge([path], path / "out")])
def test_a_missing_log_is_named_with_the_command_that_makes_it(path: Path, read: Any) -> None:
    with pytest.raises(LogError, match="lat.csv does not exist. `automoe profile --log .*lat.csv`"):
        read(path)


def test_a_sound_log_has_no_problem(path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = [{"sentinel_ms": float(value)} for value in rng.normal(1.0, 0.05, size=20)]
    assert check(write_log(path, *noise)) == ()


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two logs with their samples; both hold the same row of the point "both"."""
    left, right = tmp_path / "left.csv", tmp_path / "right.csv"
    for path, names in ((left, ("a", "both")), (right, ("both", "b"))):
        for name in names:
            LatencyLog(path).append(made_up(name))
    return left, right


def test_merging_writes_every_row_and_its_samples_once(path: Path, two: tuple[Path, Path]) -> None:
    assert merge(two, path) == 3
    assert [row["point_id"] for row in read_log(path)] == ["a", "both", "b"]
    assert len(samples_path(path).read_bytes().splitlines()) == 3
    assert LatencyLog(path).done() == {"a", "both", "b"}


def test_merging_leaves_torn_lines_out(path: Path, two: tuple[Path, Path]) -> None:
    for torn in (two[0], samples_path(two[0])):
        torn.write_bytes(torn.read_bytes() + b"torn")
    assert merge(two, path) == 3
    assert b"torn" not in path.read_bytes()
    assert b"torn" not in samples_path(path).read_bytes()


def test_merging_logs_without_samples_is_possible(path: Path, two: tuple[Path, Path]) -> None:
    for log in two:
        samples_path(log).unlink()
    assert merge(two, path) == 3


@pytest.mark.parametrize("existing", ["lat.csv", "lat.csv.samples.jsonl"])
def test_merging_overwrites_nothing(path: Path, two: tuple[Path, Path], existing: str) -> None:
    taken = path.with_name(existing)
    taken.write_text("mine")
    with pytest.raises(LogError, match=f"{existing} must not exist. Delete it or give another"):
        merge(two, path)
    assert taken.read_text() == "mine"
    assert [item.name for item in path.parent.glob("lat.csv*")] == [existing]


def test_merging_different_conditions_is_refused(
    path: Path, two: tuple[Path, Path], tmp_path: Path
) -> None:
    other = write_log(tmp_path / "other.csv", {"threads": 2})
    with pytest.raises(LogError, match="'threads' must be '1' as in .*left.csv. Got '2'."):
        merge([*two, other], path)
    assert not path.exists()


def test_merging_different_workloads_is_refused(tmp_path: Path) -> None:
    logs = [
        write_log(tmp_path / f"{name}.csv", {"point_id": name, "columns": {"workload": name}})
        for name in ("short", "long")
    ]
    with pytest.raises(LogError, match="'workload' must be 'short' as in .*short.csv. Got 'long'"):
        merge(logs, tmp_path / "out.csv")


def test_merging_different_columns_is_refused(
    path: Path, two: tuple[Path, Path], tmp_path: Path
) -> None:
    other = write_log(tmp_path / "other.csv", {"columns": {"layers": 6}})
    message = r"other.csv and .*left.csv must have the same columns. Only one has 'layers'."
    with pytest.raises(LogError, match=message):
        merge([*two, other], path)


def test_columns_that_came_later_are_blank_in_earlier_rows(
    path: Path, two: tuple[Path, Path], tmp_path: Path
) -> None:
    other = write_log(
        tmp_path / "other.csv", {"point_id": "new", "energy_mj": 2.5, "energy_meter": "RAPL"}
    )
    merge([*two, other], path)
    energies = [(row["energy_mj"], row["energy_meter"]) for row in read_log(path)]
    assert set(energies[:-1]) == {("", "")}
    assert energies[-1] == ("2.5", "RAPL")


def test_merging_logs_without_rows_is_refused(path: Path, tmp_path: Path) -> None:
    empty = write_log(tmp_path / "empty.csv", {})
    empty.write_bytes(empty.read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(LogError, match="There is nothing to merge: no log has a row."):
        merge([empty], path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a:b\n1:2\n", "columns separated by commas. Got 1 column, 'a.b'"),
        ("latency_ms\n1\n", "must have a latency and what it depends on, .* Got 1 column, 'late"),
        (",\n,\n", "columns separated by commas. Got 0 column, ''"),
    ],
)
def test_a_table_of_one_column_is_no_log(path: Path, content: str, message: str) -> None:
    path.write_text(content)
    with pytest.raises(LogError, match=message):
        check(path)


@pytest.mark.parametrize("content", [b"", b"a,b", b"\x1f\x8b\x08\0", b'{"results": []}'])
def test_a_summary_of_a_file_that_is_no_log_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "no.csv"
    path.write_bytes(content)
    with pytest.raises(LogError, match=r"no\.csv"):
        summarise(path)


def test_every_problem_of_an_audit_is_shown(path: Path) -> None:
    rows = [{"point_id": f"p{i}", "flags": ("contended",), "quality": "C"} for i in range(6)]
    write_log(path, *rows)
    audit = audit_log(str(path))
    told = repr(audit)
    assert len(audit.problems) > 1
    assert all(problem.message in told for problem in audit.problems)
    assert "<td" in audit._repr_html_()


def test_of_many_latencies_some_are_judged_and_the_audit_says_so(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_audit, "_MOST_JUDGED", 30)
    sizes = [10 * (1 + i % 8) for i in range(40)]
    rows = [{"latency_ms": x, "columns": {"feature_x": x}} for x in sizes]
    write_log(path, *rows[:-1], {**rows[-1], "latency_ms": 0.0})
    audit = audit_log(path)
    assert audit.conversions[-1].startswith("30 of 39 latencies are judged by the others")
    assert [x.rows for x in audit.problems if x.check == "impossible"] == [(41,)]
