import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from support.measurements import made_up

from profilers import LatencyLog, read_log


def log_of(path: Path) -> list[dict[str, str]]:
    log = LatencyLog(path)
    for number, point in enumerate(("00123", "12e7", "abc")):
        at = f"2026-01-02T03:0{number}:00.000+00:00"
        log.append(made_up(point, latency_ms=10 + number / 7, measured_at=at))
    return read_log(path)


def resaved(
    path: Path, *, delimiter: str = ",", end: str = "\n", cell: Callable[[str], str]
) -> None:
    rows = list(csv.reader(io.StringIO(path.read_text())))
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([[cell(text) for text in row] for row in rows])
    path.write_bytes(text.getvalue().removesuffix(end).encode("utf-8-sig"))


def test_a_log_saved_with_semicolons_and_decimal_commas_is_continued(path: Path) -> None:
    before = log_of(path)
    resaved(path, delimiter=";", end="\r\n", cell=lambda x: x.replace(".", ",", x.count(".") == 1))
    log = LatencyLog(path)
    (message,) = log.repaired
    assert (
        "a byte-order mark; semicolons between the cells; the line ends. It has its own" in message
    )
    assert log.done() == {"00123", "12e7", "abc"}
    log.append(made_up("new"))
    assert [row["latency_ms"] for row in read_log(path)[:3]] == [x["latency_ms"] for x in before]
    assert path.with_name("lat.csv.resaved").exists()
    assert LatencyLog(path).repaired == ()


def test_identities_that_became_numbers_are_restored_and_said(path: Path) -> None:
    log_of(path)
    changes = {"00123": "123", "12e7": "1.20E+08"}
    resaved(path, cell=lambda x: changes.get(x, x))
    log = LatencyLog(path)
    (message,) = log.repaired
    restored = "point_id in 2 rows (line 2: '123' was '00123', line 3: '1.20E+08' was '12e7')"
    assert restored in message
    assert log.done() == {"00123", "12e7", "abc"}


def test_other_columns_orders_and_quotes_change_nothing(path: Path) -> None:
    log_of(path)
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, sorted(rows[0]), lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    log = LatencyLog(path)
    log.append(made_up("new"))
    assert [row["point_id"] for row in read_log(path)] == ["00123", "12e7", "abc", "new"]
    assert log.repaired == ()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lat.csv"
