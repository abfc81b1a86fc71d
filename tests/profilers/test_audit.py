from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.measurements import made_up
from support.scripted import INFO

from profilers import LatencyLog, LogError, Problem, check, merge, read_log, samples_path, summarise
from profilers.table import format_line


def at(minute: int) -> str:
    return f"2026-01-02T03:{minute:02}:00.000+00:00"


def write(path: Path, *changes: dict[str, Any]) -> Path:
    """A log with one row for each dict of changes, whether or not LatencyLog would take them."""
    rows = [
        made_up(**{"point_id": f"p{number}", "measured_at": at(number), **fields}).row()
        for number, fields in enumerate(changes)
    ]
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    path.write_bytes(b"".join(map(format_line, lines)))
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lat.csv"


def named(problems: Sequence[Problem]) -> dict[str, Problem]:
    return {problem.check: problem for problem in problems}


def test_a_summary_tells_what_a_log_holds(path: Path) -> None:
    write(
        path,
        {"latency_ms": 30.0, "flags": ("contended", "ci_unmet"), "measured_at": at(9)},
        {"latency_ms": 10.0, "flags": ("contended",), "measured_at": at(5)},
        {"latency_ms": 12.0, "point_id": "p0", "device": replace(INFO, name="other")},
    )
    summary = summarise(path)
    assert (summary.rows, summary.points) == (3, 2)
    assert summary.devices == tuple(
        f"{name} Scripted CPU {INFO.fingerprint}" for name in ("other", "scripted")
    )
    assert summary.runtimes == ("onnxruntime 1.2.3",)
    assert summary.flags == {"contended": 2, "ci_unmet": 1}
    latencies = (summary.latency_min_ms, summary.latency_median_ms, summary.latency_max_ms)
    assert latencies == (10.0, 12.0, 30.0)
    assert (summary.first_at, summary.last_at) == (at(2), at(9))


def test_a_log_without_rows_has_a_summary_too(path: Path) -> None:
    header = write(path, {}).read_bytes().splitlines(keepends=True)[0]
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
    assert check(write(path, *noise)) == ()


@pytest.mark.parametrize(
    ("changes", "column", "values"),
    [
        ({"threads": 2}, "threads", "1, 2"),
        ({"runtime": "tensorrt 10"}, "runtime", "onnxruntime 1.2.3, tensorrt 10"),
        ({"device": replace(INFO, power_mode="10W")}, "power_mode", "10W, performance"),
        ({"device": replace(INFO, cores=3)}, "device_fingerprint", ""),
    ],
)
def test_mixed_conditions_are_a_problem(
    path: Path, changes: dict[str, Any], column: str, values: str
) -> None:
    (problem,) = check(write(path, {}, changes, {}))
    assert (problem.check, problem.severity) == ("mixed", "problem")
    assert f"'{column}' takes 2 values: {values}" in problem.message
    assert "split the log" in problem.remedy


def test_the_callers_conditions_are_checked_when_named(path: Path) -> None:
    write(path, {"columns": {"workload": "short"}}, {"columns": {"workload": "long"}})
    assert check(path) == ()
    (problem,) = check(path, condition_columns=["workload", "absent"])
    assert problem.message == "'workload' takes 2 values: long, short"


def test_points_measured_twice_are_a_warning(path: Path) -> None:
    (problem,) = check(write(path, {"point_id": "a"}, {"point_id": "b"}, {"point_id": "a"}))
    assert (problem.check, problem.severity) == ("duplicates", "warning")
    assert problem.message == "1 points have more than one row, e.g. a"


def drifting(steps: Sequence[float]) -> list[dict[str, Any]]:
    return [{"sentinel_ms": step} for step in steps]


def test_a_sentinel_that_wanders_is_a_problem(path: Path) -> None:
    # 1.00 to 1.09 in order; the lag-1 correlation of 0, 1, ..., 9 is 0.7 (57.75 / 82.5).
    problem = named(check(write(path, *drifting([1 + step / 100 for step in range(10)]))))["drift"]
    assert problem.severity == "problem"
    assert problem.message == (
        "the sentinel drifted by 9% over the session (lag-1 correlation 0.70)"
    )


def test_drift_is_judged_in_the_order_of_time_and_not_of_rows(path: Path) -> None:
    shuffled = [3, 0, 8, 5, 1, 9, 2, 7, 4, 6]
    rows = [{"sentinel_ms": 1 + step / 100, "measured_at": at(step)} for step in shuffled]
    assert "drift" in named(check(write(path, *rows)))


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([1 + step / 1000 for step in range(10)], id="too little"),
        pytest.param([1.0, 1.2] * 5, id="back and forth"),
        pytest.param([1.0, 1.1, 1.2, 1.3], id="too few rows"),
    ],
)
def test_a_sentinel_that_stays_is_none(path: Path, steps: list[float]) -> None:
    assert check(write(path, *drifting(steps))) == ()


def test_many_flagged_rows_are_a_warning(path: Path) -> None:
    flagged = [{"flags": ("contended",)}, {"flags": ("contended", "ci_unmet")}]
    (problem,) = check(write(path, *flagged, *[{}] * 7))
    assert (problem.check, problem.severity) == ("flagged", "warning")
    assert problem.message == "2 of 9 rows are flagged (contended 2, ci_unmet 1)"


def test_a_fifth_of_flagged_rows_is_tolerated(path: Path) -> None:
    assert check(write(path, {"flags": ("contended",)}, *[{}] * 4)) == ()


def test_a_column_without_a_unit_is_a_problem(path: Path) -> None:
    (problem,) = check(write(path, {"columns": {"Energy": 3, "layers": 6}}))
    assert (problem.check, problem.severity) == ("unit", "problem")
    assert problem.message == "column 'Energy' has no unit"


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
    other = write(tmp_path / "other.csv", {"threads": 2})
    with pytest.raises(LogError, match="'threads' must be '1' as in .*left.csv. Got '2'."):
        merge([*two, other], path)
    assert not path.exists()


def test_merging_the_callers_conditions_is_refused_when_named(tmp_path: Path) -> None:
    logs = [
        write(tmp_path / f"{name}.csv", {"point_id": name, "columns": {"workload": name}})
        for name in ("short", "long")
    ]
    with pytest.raises(LogError, match="'workload' must be 'short' as in .*short.csv. Got 'long'"):
        merge(logs, tmp_path / "out.csv", condition_columns=["workload"])
    assert merge(logs, tmp_path / "out.csv") == 2


def test_merging_different_columns_is_refused(
    path: Path, two: tuple[Path, Path], tmp_path: Path
) -> None:
    other = write(tmp_path / "other.csv", {"columns": {"layers": 6}})
    message = r"other.csv and .*left.csv must have the same columns. Got \['layers'\] in one."
    with pytest.raises(LogError, match=message):
        merge([*two, other], path)


def test_merging_logs_without_rows_is_refused(path: Path, tmp_path: Path) -> None:
    empty = write(tmp_path / "empty.csv", {})
    empty.write_bytes(empty.read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(LogError, match="There is nothing to merge: no log has a row."):
        merge([empty], path)
