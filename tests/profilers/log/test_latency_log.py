import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from support.measurements import made_up
from support.scripted import INFO

from profilers import LatencyLog, LogError, read_log, samples_path
from profilers.log import latency_log
from profilers.log.rows import format_line

TESTS = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lat.csv"


def written(path: Path, *point_ids: str, **changes: Any) -> LatencyLog:
    log = LatencyLog(path)
    for point_id in point_ids:
        log.append(made_up(point_id, **changes))
    return log


def test_rows_are_read_back_as_they_were_measured(path: Path) -> None:
    written(path, "a", latency_ms=0.1 + 0.2, columns={"arch": '{"layers": [1, 2]}'})
    (row,) = read_log(path)
    assert row["point_id"] == "a"
    assert float(row["latency_ms"]) == 0.1 + 0.2
    assert json.loads(row["arch"]) == {"layers": [1, 2]}
    assert path.read_text().splitlines()[0].startswith("schema_version,point_id,device,")


def test_a_log_is_read_from_a_pipe(path: Path, tmp_path: Path) -> None:
    written(path, "a", "b")
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[path.read_bytes()])
    writer.start()
    assert read_log(tmp_path / "pipe") == read_log(path)
    writer.join()


def test_a_log_is_made_by_its_first_row_and_folders_with_it(path: Path) -> None:
    nested = path.parent / "runs" / "lat.csv"
    log = LatencyLog(nested)
    assert not nested.exists()
    assert log.done() == set()
    log.append(made_up("a"))
    assert log.done() == {"a"}


def test_a_session_resumes_where_the_last_one_ended(path: Path) -> None:
    written(path, "a", "b")
    resumed = LatencyLog(path)
    assert resumed.done() == {"a", "b"}
    assert resumed.repaired == ()
    resumed.append(made_up("c"))
    assert [row["point_id"] for row in read_log(path)] == ["a", "b", "c"]


def test_raw_samples_go_beside_the_log(path: Path) -> None:
    written(path, "a", samples=({"pid": 1}, {"pid": 2}))
    assert samples_path(path) == path.with_name("lat.csv.samples.jsonl")
    (line,) = samples_path(path).read_text().splitlines()
    assert json.loads(line) == {
        "point_id": "a",
        "measured_at": "2026-01-02T03:04:05.678+00:00",
        "blocks": [{"pid": 1}, {"pid": 2}],
    }


def test_samples_and_then_the_row_are_forced_to_the_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").resolve())

    monkeypatch.setattr("profilers.log.latency_log.os.fsync", fsync)
    written(path, "a")
    assert synced == [samples_path(path), path]


@pytest.mark.parametrize("cut", [1, 40])
def test_a_torn_last_line_is_moved_aside_when_the_log_is_opened(path: Path, cut: int) -> None:
    written(path, "a", "b")
    content = path.read_bytes()
    path.write_bytes(content[:-cut])
    assert [row["point_id"] for row in read_log(path)] == ["a"]
    log = LatencyLog(path)
    torn = path.with_name("lat.csv.torn")
    assert log.repaired == (f"{path}: the last line was torn by a crash; it was moved to {torn}.",)
    assert log.done() == {"a"}
    assert torn.read_bytes() == content.splitlines(keepends=True)[2][:-cut] + b"\n"
    log.append(made_up("b"))
    assert path.read_bytes() == content


@pytest.mark.parametrize("size", [1, 7, 600])
def test_the_last_line_is_found_from_the_end(
    path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency_log, "_TAIL", size)
    written(path, "a", "b")
    content = path.read_bytes()
    assert LatencyLog(path).repaired == ()
    path.write_bytes(content[:-20])
    assert len(LatencyLog(path).repaired) == 1
    assert path.read_bytes() == b"".join(content.splitlines(keepends=True)[:2])


def test_lines_torn_one_after_the_other_are_all_kept(path: Path) -> None:
    written(path, "a")
    for torn in ("first", "second"):
        path.write_bytes(path.read_bytes() + torn.encode())
        LatencyLog(path)
    assert path.with_name("lat.csv.torn").read_text() == "first\nsecond\n"
    assert LatencyLog(path).repaired == ()


def test_a_last_line_of_the_wrong_length_counts_as_torn(path: Path) -> None:
    written(path, "a")
    path.write_bytes(path.read_bytes() + b"1,b,c\n")
    assert len(LatencyLog(path).repaired) == 1
    assert [row["point_id"] for row in read_log(path)] == ["a"]


@pytest.mark.parametrize("size", [5, 200])
def test_a_torn_first_write_leaves_an_empty_log(path: Path, size: int) -> None:
    written(path, "a")
    content = path.read_bytes()
    path.write_bytes(content[:size])
    assert len(LatencyLog(path).repaired) == 1
    assert path.read_bytes() == b""
    written(path, "a")
    assert path.read_bytes() == content


def test_a_torn_line_of_the_samples_is_moved_aside_too(path: Path) -> None:
    written(path, "a")
    samples = samples_path(path)
    content = samples.read_bytes()
    samples.write_bytes(content + b'{"point_id": "b"')
    (message,) = LatencyLog(path).repaired
    assert str(samples) in message
    assert samples.read_bytes() == content
    assert samples.with_name(f"{samples.name}.torn").read_bytes() == b'{"point_id": "b"\n'


@pytest.mark.parametrize(
    "content", [b"Dear diary", b"title,text\na,b\nc", b"a\rb\n", b"\n", b"schema_version,other"]
)
def test_a_file_that_is_no_log_is_refused_and_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(LogError, match="lat.csv, line 1: column '.*' is missing, so this is no"):
        LatencyLog(path)
    assert path.read_bytes() == content
    assert not path.with_name("lat.csv.torn").exists()


def test_a_malformed_row_is_named_by_line_and_column(path: Path) -> None:
    written(path, "a", "b", "c")
    lines = path.read_text().splitlines(keepends=True)
    lines[2] = lines[2].replace("10.0", "quick", 1)
    path.write_text("".join(lines))
    with pytest.raises(LogError, match="lat.csv, line 3: 'latency_ms' must be .* Got 'quick'."):
        read_log(path)
    with pytest.raises(LogError, match="lat.csv, line 3"):
        LatencyLog(path).done()


def test_a_row_cut_short_in_the_middle_is_named_by_line(path: Path) -> None:
    written(path, "a", "b")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"1,a\n" + lines[2])
    with pytest.raises(LogError, match=r"lat.csv, line 2: a row must have \d+ fields .* Got 2."):
        LatencyLog(path)


OTHER_MACHINE = replace(INFO, model="Other CPU")


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"device": replace(INFO, name="other")}, "device"),
        ({"device": OTHER_MACHINE}, "device_fingerprint"),
        ({"device": replace(INFO, power_mode="powersave")}, "power_mode"),
        ({"runtime": "onnxruntime 9.9"}, "runtime"),
        ({"threads": 2}, "threads"),
        ({"schema_version": 9}, "schema_version"),
        ({"columns": {"workload": "long", "note": "x"}}, "workload"),
    ],
)
def test_measurements_of_different_conditions_do_not_mix(
    path: Path, changes: dict[str, Any], column: str
) -> None:
    log = LatencyLog(path)
    log.append(made_up("a", columns={"workload": "short", "note": "x"}))
    content = path.read_bytes()
    other = made_up("b", **{"columns": {"workload": "short", "note": "y"}, **changes})
    with pytest.raises(LogError, match=f"'{column}' must be '.*' as in .*lat.csv. Got '.*'."):
        log.append(other)
    with pytest.raises(LogError, match=f"'{column}' must be"):
        LatencyLog(path).require(other.row())
    assert path.read_bytes() == content
    assert len(samples_path(path).read_bytes().splitlines()) == 1


def test_conditions_are_checked_before_anything_is_measured(path: Path) -> None:
    LatencyLog(path).require({"threads": 4})  # an empty log takes any
    log = written(path, "a")
    log.require({"threads": 1, "latency_ms": 99.0})
    with pytest.raises(LogError, match="'threads' must be '1' as in"):
        log.require({"threads": 4})


def test_what_is_no_condition_may_differ(path: Path) -> None:
    written(path, "a", columns={"layers": 6})
    written(path, "b", columns={"layers": 12}, flags=("contended",))
    assert [row["layers"] for row in read_log(path)] == ["6", "12"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"layers": 6, "heads": 8}, "Only the row has 'heads'. Use another log."),
        ({}, "Only the log has 'layers'."),
    ],
)
def test_a_row_of_other_columns_is_refused(
    path: Path, columns: dict[str, int], message: str
) -> None:
    log = written(path, "a", columns={"layers": 6})
    with pytest.raises(LogError, match=rf"columns must be those of .*lat.csv. {message}"):
        log.append(made_up("b", columns=columns))


METER = {"energy_mj": 12.5, "energy_meter": "RAPL package-0"}


def test_a_meter_that_comes_later_does_not_end_a_log(path: Path) -> None:
    written(path, "a").append(made_up("b", **METER))
    assert [row["point_id"] for row in read_log(path)] == ["a", "b"]
    assert "energy_mj" not in read_log(path)[1]


def test_a_meter_that_is_gone_leaves_its_cells_blank(path: Path) -> None:
    written(path, "a", **METER).append(made_up("b"))
    rows = [(row["energy_mj"], row["energy_meter"]) for row in read_log(path)]
    assert rows == [("12.5", "RAPL package-0"), ("", "")]


def test_an_energy_that_is_no_number_is_named(path: Path) -> None:
    written(path, "a", **METER)
    path.write_text(path.read_text().replace("12.5", "much"))
    with pytest.raises(LogError, match="'energy_mj' must be a finite number from 0 up. Got 'much'"):
        read_log(path)


def test_a_row_finds_its_columns_in_a_log_that_orders_them_otherwise(path: Path) -> None:
    written(path, "a")
    header, row = (line.split(",") for line in path.read_text().splitlines())
    path.write_bytes(format_line(header[::-1]) + format_line(row[::-1]))
    written(path, "b")
    assert [row["point_id"] for row in read_log(path)] == ["a", "b"]
    assert [row["latency_ms"] for row in read_log(path)] == ["10.0", "10.0"]


def test_a_cell_with_a_line_break_writes_nothing(path: Path) -> None:
    with pytest.raises(LogError, match="A cell must not hold a line break"):
        written(path, "a", columns={"note": "two\nlines"})
    assert not path.exists()
    assert not samples_path(path).exists()


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Files cannot grow beyond `size` bytes, as on a disk that fills up in mid-write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_row_for_which_there_is_no_space_is_taken_back(path: Path) -> None:
    log = written(path, "a", samples=())
    content = path.read_bytes()
    with (
        largest_file(len(content) + 10),
        pytest.raises(OSError, match="only part of a row could be written. Free disk space."),
    ):
        log.append(made_up("b", samples=()))
    assert path.read_bytes() == content
    log.append(made_up("b"))
    assert log.done() == {"a", "b"}


def test_another_programs_lock_is_waited_for_and_then_reported(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = written(path, "a")
    monkeypatch.setattr("profilers.log.latency_log._LOCK_SECONDS", 0.01)
    message = "lat.csv.lock is held by another program for 0.01 s. Wait for it to end or use"
    with FileLock(f"{path}.lock"):
        with pytest.raises(LogError, match=message):
            log.append(made_up("b"))
        with pytest.raises(LogError, match=message):
            LatencyLog(path)
    assert log.done() == {"a"}


def test_two_processes_that_append_at_once_lose_nothing(path: Path) -> None:
    code = """
import sys
from pathlib import Path
from profilers import LatencyLog
from support.measurements import made_up
path, name = Path(sys.argv[1]), sys.argv[2]
log = LatencyLog(path)
print("ready", flush=True)
sys.stdin.readline()
for number in range(30):
    log.append(made_up(f"{name}{number}"))
"""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=TESTS.parent,
            env={"PYTHONPATH": f"{TESTS}:{TESTS.parent}"},
        )
        for name in ("left", "right")
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
    for child in children:  # both have seen an empty log; only one may write the header
        assert child.stdin is not None
        child.stdin.write(b"go\n")
        child.stdin.flush()
    for child in children:
        child.communicate(timeout=60)
        assert child.returncode == 0
    expected = {f"{name}{number}" for name in ("left", "right") for number in range(30)}
    rows = read_log(path)
    assert len(rows) == len(expected)
    assert {row["point_id"] for row in rows} == expected
    samples = [json.loads(line) for line in samples_path(path).read_text().splitlines()]
    assert {item["point_id"] for item in samples} == expected


@pytest.mark.parametrize(
    ("row", "wanted", "fits"),
    [
        ("tensorrt 10.3.0", "tensorrt", True),
        ("tensorrt 10.3.0", "onnxruntime", False),
        ("tensorrt 10.3.0", "tensorrt-rtx", False),
        ("tensorrt-rtx 1.7.1", "tensorrt", False),
        ("onnxruntime-cuda 1.31.1", "onnxruntime", True),
        ("onnxruntime-cuda 1.31.1", "tensorrt", False),
        ("SIMULATED roofline 1", "onnxruntime", True),
    ],
)
def test_rows_of_tensorrt_and_others_are_told_apart(
    path: Path, row: str, wanted: str, fits: bool
) -> None:
    LatencyLog(path).require_runtime(wanted)  # an empty log has no runtime
    log = written(path, "a", runtime=row)
    if fits:
        log.require_runtime(wanted)
        return
    message = f"'runtime' must be '{row.split()[0]}' as in .* Got '{wanted}'. .*another log"
    with pytest.raises(LogError, match=message):
        log.require_runtime(wanted)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no /proc")
def test_a_lock_that_cannot_be_made_is_not_held_by_a_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("profilers.log.latency_log._LOCK_SECONDS", 0.01)
    with pytest.raises(LogError, match="/proc/self/lat.csv.lock cannot be made. Use a log in a"):
        LatencyLog(Path("/proc/self/lat.csv"))
