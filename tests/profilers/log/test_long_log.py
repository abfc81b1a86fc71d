"""A long log is read by column, and holds what the same log holds when it is read by row."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.logs import at, write_log

from profilers import (
    LatencyLog,
    LogError,
    audit_log,
    compare,
    read_log,
    samples_path,
    summarise_any,
)
from profilers.log import long_log
from profilers.log.any_log import AnyLog, read_any_log
from profilers.log.long_log import FileRows, read_long

N_ROWS = 40


@pytest.fixture
def path(tmp_path: Path) -> Path:
    changes = [
        {
            "latency_ms": 10 + i % 7 + i / 1000,
            "flags": "contended" if i % 3 else "",
            "columns": {
                "architecture": f'{{"width": [{i}, 64], "name": "{"long " * 20}"}}',
                "feature_size": 2**i,
                "feature_some": i / 7 if i % 5 else "",
                "feature_odd": "nan" if i == 30 else i / 3,
                "feature_kind": "äö"[i % 2],
            },
        }
        for i in range(N_ROWS)
    ]
    return write_log(tmp_path / "log.csv", *changes)


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few rows make a chunk, and a few texts are many."""
    monkeypatch.setattr(long_log, "_CHUNK", 3000)
    monkeypatch.setattr(long_log, "_MOST_LEVELS", 5)


def both(path: Path, monkeypatch: pytest.MonkeyPatch, **options: tuple[str, ...]) -> list[AnyLog]:
    """The log read by row, and by column."""
    by_row = read_any_log(path)
    monkeypatch.setattr(long_log, "LONG", 0)
    by_column = read_any_log(path, **options)
    assert isinstance(by_column.rows, FileRows)
    return [by_row, by_column]


@pytest.mark.parametrize("held", [None, (), ("latency_ms", "point_id")])
def test_columns_and_rows_are_those_of_the_file(
    path: Path, held: tuple[str, ...] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, found = both(path, monkeypatch, **({} if held is None else {"held": held}))
    assert (found.columns, found.header, found.torn) == (expected.columns, expected.header, None)
    assert tuple(found.rows) == expected.rows
    for rows, others in (
        (found.rows, expected.rows),
        (found.rows.take([31, 2]), expected.rows.take([31, 2])),
    ):
        assert rows.lines().tolist() == others.lines().tolist()
        for name in (*expected.columns, "absent"):
            assert list(rows.texts(name)) == list(others.texts(name)), name
            np.testing.assert_array_equal(rows.numbers(name), others.numbers(name), name)
            assert rows.is_blank(name).tolist() == others.is_blank(name).tolist(), name
            assert rows.has_one_text(name) == others.has_one_text(name), name


def test_odd_lines_are_no_rows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = path.read_text().split("\n")
    path.write_text("\n".join([*lines[:20], "1,2,3", "", " ,", *lines[20:-1], lines[5][:90]]))
    expected, found = both(path, monkeypatch)
    assert [(x.line, x.cells) for x in found.malformed] == [(21, ("1", "2", "3"))]
    assert found.malformed == expected.malformed
    assert found.rows.lines().tolist() == expected.rows.lines().tolist()
    assert (found.torn, found.is_ended) == (expected.torn, expected.is_ended) == (45, False)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace(",ä", ',"ä\nb"', 1),
        lambda text: text.replace(",ä", ',"ä', 1),
        lambda text: text.replace(",ä\n", ',"1,500"\n').replace(",ö\n", ',"1,024"\n'),
        lambda text: re.sub(r",1024,", ',"1,024",', text),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("latency_ms", "Latency", 1),
        lambda text: text.replace("ä", "\u200b1"),
    ],
)
def test_a_log_in_another_form_is_read_by_row(
    path: Path, change: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text(change(path.read_text()), newline="")
    monkeypatch.setattr(long_log, "LONG", 0)
    assert read_long(path) is None


def test_a_short_log_is_read_by_row(path: Path) -> None:
    assert read_long(path) is None


def test_answers_do_not_depend_on_how_a_log_is_read(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slower = [{"latency_ms": 11 + i / 1000, "measured_at": at(59 - i)} for i in range(N_ROWS)]
    other = write_log(tmp_path / "other.csv", *slower)

    def answers() -> list[object]:
        logs = [read_any_log(x) for x in (path, other)]
        return [audit_log(path), summarise_any(path), read_log(path), compare(*logs)]

    expected = answers()
    monkeypatch.setattr(long_log, "LONG", 0)
    assert answers() == expected


def test_a_row_that_is_no_number_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = path.read_text().split("\n")
    index = lines[0].split(",").index("min_ms")
    cells = lines[30].split(",")
    lines[30] = ",".join([*cells[:index], "fast", *cells[index + 1 :]])
    path.write_text("\n".join(lines))
    monkeypatch.setattr(long_log, "LONG", 0)
    with pytest.raises(LogError, match=r"line 31: 'min_ms' must be a finite number.*'fast'"):
        read_log(path)
    (problem,) = [x for x in audit_log(path).problems if x.check == "impossible"]
    assert problem.rows == (31,)
    assert "min_ms is 'fast'" in problem.message


def test_a_file_that_changed_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, found = both(path, monkeypatch)
    path.write_text("another\n")
    with pytest.raises(LogError, match=r"has changed while it was read\. Try again\."):
        list(found.rows)


def test_a_long_log_whose_identities_a_spreadsheet_changed_is_put_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = path.read_text()
    lines = [f'{{"point_id": "00{i}", "measured_at": "{at(i)}"}}\n' for i in range(N_ROWS)]
    samples_path(path).write_text("".join(lines))
    path.write_text(re.sub(r"(?m)^(\d+),p(\d+),", r"\1,\2,", content))
    monkeypatch.setattr(long_log, "LONG", 0)
    (message,) = LatencyLog(path).repaired
    assert "point_id in 40 rows" in message
    assert LatencyLog(path).done() == {f"00{i}" for i in range(N_ROWS)}
    assert LatencyLog(path).repaired == ()
