"""Every command sees the same rows of a CSV, whatever its cells hold."""

import csv
import io
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.measurements import made_up

from automoe.cli.main import main
from automoe.cli.predicting import _as_written
from predictors import read_table
from profilers import LatencyLog, audit_log, merge, read_any_log, read_log, summarise
from profilers.log.rows import format_line

# A letter in front, so that no reader takes the text for a number, a list or nothing.
# A file with several control characters is refused as one that is no text.
CONTROL = "".join(map(chr, {*range(32)} - {*b"\t\n\v\f\r\x1b"}))
# Digits and minus of other scripts become those of ASCII, and characters without width nothing.
BECOME_OTHERS = "\u2212\ufeff\u200b\u200e\u200f\u202a\u202c\u2060"
LETTERS = st.characters(
    exclude_categories=["Cs", "Nd"],
    exclude_characters=CONTROL + BECOME_OTHERS,
    include_characters="0123456789",
)
CELLS = st.text(LETTERS, max_size=8)
NAMES = st.lists(CELLS.map("x".__add__), min_size=1, max_size=6)
# A form feed, line and paragraph separators, which str.splitlines takes for the end of a line.
SEPARATORS = "\f\v\x1c\x1d\x1e\x85\u2028\u2029"

ANY_FOLDER = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@ANY_FOLDER
@given(names=NAMES, line_end=st.sampled_from(["\n", "\r\n"]))
@example(names=["x\r", "x\n"], line_end="\n")
def test_readers_agree_on_tables_of_others(tmp_path: Path, names: list[str], line_end: str) -> None:
    text = io.StringIO()
    rows = [("name", "latency_ms"), *((name, i + 1.5) for i, name in enumerate(names))]
    # Before Python 3.13 the writer leaves a carriage return alone unless it quotes all text.
    csv.writer(text, lineterminator=line_end, quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
    path = tmp_path / "others.csv"
    path.write_bytes(text.getvalue().encode())
    expected = [name.strip() for name in names]
    log, table = read_any_log(path), read_table(path)
    assert [row.cells["name"] for row in log.rows] == expected
    assert table["name"].tolist() == expected
    assert table.index.tolist() == [row.line for row in log.rows]
    assert _as_written(path)["name"].tolist() == expected
    assert audit_log(path).rows == len(names)


@ANY_FOLDER
@given(names=st.lists(CELLS.filter(lambda cell: not {"\n", "\r"} & set(cell)).map("x".__add__)))
def test_readers_agree_on_logs_of_ours(tmp_path: Path, names: list[str]) -> None:
    made = [made_up(f"p{i}", columns={"name": name}).row() for i, name in enumerate(names)]
    lines = [list(made_up(columns={"name": ""}).row()), *(list(row.values()) for row in made)]
    path, merged = tmp_path / "ours.csv", tmp_path / "merged.csv"
    path.write_bytes(b"".join(map(format_line, lines)))
    expected = [name.strip() for name in names]
    assert LatencyLog(path).repaired == ()
    assert [row["name"] for row in read_log(path)] == expected
    assert [row.cells["name"] for row in read_any_log(path).rows] == expected
    assert summarise(path).rows == audit_log(path).rows == len(names)
    if not names:
        return
    assert read_table(path)["name"].tolist() == expected
    assert merge([path], merged) == len(names)
    assert [row["name"] for row in read_log(merged)] == expected
    for written in tmp_path.glob("merged.csv*"):
        written.unlink()


def test_a_torn_line_of_ours_is_a_row_for_nobody(tmp_path: Path) -> None:
    rows = [made_up(f"p{i}").row() for i in range(3)]
    content = b"".join(map(format_line, [list(rows[0]), *(list(row.values()) for row in rows)]))
    path = tmp_path / "ours.csv"
    for cut in (1, 30):
        path.write_bytes(content[:-cut])
        assert [row["point_id"] for row in read_log(path)] == ["p0", "p1"]
        assert read_table(path)["point_id"].tolist() == ["p0", "p1"]
        assert audit_log(path).rows == 2


def test_a_cell_may_be_longer_than_the_csv_module_expects(tmp_path: Path) -> None:
    trace = "7" * 200_000
    made = made_up("p", columns={"workload_json": trace}).row()
    path = tmp_path / "ours.csv"
    path.write_bytes(b"".join(map(format_line, [list(made), list(made.values())])))
    assert [row["workload_json"] for row in read_log(path)] == [trace]
    assert audit_log(path).rows == len(read_table(path)) == 1


@pytest.mark.slow
def test_all_commands_read_names_with_separators(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, predictor, out = (tmp_path / name for name in ("log.csv", "p", "out.csv"))
    names = [f"m{SEPARATORS[i % len(SEPARATORS)]}{i}" for i in range(60)]
    rows = [f"{name},{i},{1 + 3 * i + i % 3 / 50}" for i, name in enumerate(names)]
    path.write_text("\n".join(["name,size,latency_ms", *rows]), encoding="utf-8")
    main(["log", "check", str(path)])
    assert f"{path}: 60 rows" in capsys.readouterr().err
    assert main(["fit", str(path), "-o", str(predictor)]) == 0
    assert ", 60 rows\n" in capsys.readouterr().out
    assert main(["predict", str(predictor), str(path), "-o", str(out)]) == 0
    assert pd.read_csv(out)["name"].tolist() == names
