from pathlib import Path

import pytest

from profilers.log import units_in_cells
from profilers.log.any_log import AnyLog, read_any_log


def read(tmp_path: Path, name: str, *cells: str, other: str = "batch") -> AnyLog:
    path = tmp_path / "log.csv"
    lines = [f'"{name}",{other}', *(f'"{cell}",{n}' for n, cell in enumerate(cells, 1))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_any_log(path)


@pytest.mark.parametrize(
    ("name", "cells", "expected"),
    [
        ("sparsity", ("90%", "12.5 %", "0%"), ["90", "12.5", "0"]),
        ("prompt", ("512", "1k", "2K", "1.5k"), ["512", "1000", "2000", "1500"]),
        ("prompt", ("4Ki", "512"), ["4096", "512"]),
        ("params", ("500M", "7B", "1.5B"), ["500000000", "7000000000", "1500000000"]),
        ("model", ("7b", "13b"), ["7000000000", "13000000000"]),
        ("buffer", ("512B", "4K"), ["512", "4000"]),
        ("size", ("8B", "16B", "1K"), ["8", "16", "1000"]),
        ("size", ("8B", "1G"), ["8", "1000000000"]),
        ("size", ("8", "16", "1K"), ["8", "16", "1000"]),
        ("size", ("1500B", "9000B"), ["1500", "9000"]),
        ("size", ("8B", "1KB"), ["8e-06", "0.001"]),
        ("size", ("7B", "13B"), ["7000000000", "13000000000"]),
        ("size", ("350M", "1B", "8B"), ["350000000", "1000000000", "8000000000"]),
        ("size", ("512M", "1B", "2B"), ["512000000", "1000000000", "2000000000"]),
        ("size", ("500K", "3M", "60M", "1B"), ["500000", "3000000", "60000000", "1000000000"]),
        ("size", ("1.1B", "8B"), ["1100000000", "8000000000"]),
        ("llm", ("1B", "8B"), ["1000000000", "8000000000"]),
        ("msg", ("8B", "1M"), ["8", "1000000"]),
        ("memory_gb", ("16 GB", "512 MB"), ["16", "0.512"]),
        ("took", ("2 min", "0.5 h"), ["120000", "1800000"]),
        ("memory", ("16 GB", "512 MB"), ["16000", "512"]),
        ("memory", ("1 GiB", "2 GiB"), ["1073.741824", "2147.483648"]),
        ("took", ("1e3 ms", "2.5 ms"), ["1e3", "2.5"]),
        ("took", ("1.5 s", "250 ms", "40us"), ["1500", "250", "0.04"]),
        ("took_us", ("1.5 ms", "40 us"), ["1500", "40"]),
        ("took", ("3 \u03bcs", "4 \u00b5s"), ["0.003", "0.004"]),
        ("share", ("12,5 %", "3 %"), ["12.5", "3"]),
        ("memory", ("1\u202f024 MB", "512 MB"), ["1024", "512"]),
        ("factor", ("2x", "4x"), ["2", "4"]),
        ("flops", ("1,234.5 MFLOP", "12.5 MFLOP"), ["1234.5", "12.5"]),
        ("took", ("3 ms", "n/a", ""), ["3", "n/a", ""]),
        ("latency", ("0:00:00.348", "00:01:02", "1 day, 0:00:01"), ["348", "62000", "86401000"]),
        ("latency", ("0 days 00:00:00.001500", "0 days 00:00:02"), ["1.5", "2000"]),
        ("latency", ("1m2.5s", "58.5s", "348ms", "1h0m0s"), ["62500", "58500", "348", "3600000"]),
        ("latency_s", ("1:02.5", "00:03"), ["62.5", "3"]),
        ("took", ("", "0:01:02", "0:02:02"), ["", "62000", "122000"]),
        ("took", ("PT0.348S", "PT1M2S"), ["348", "62000"]),
        ("real", ("0m1.250s", "1m0.000s"), ["1250", "60000"]),
        ("took", ("2m", "30s"), ["120000", "30000"]),
        ("speed", ("0.5s/it", "2s/it"), ["500", "2000"]),
    ],
)
def test_a_number_with_a_unit_is_read_as_a_number(
    tmp_path: Path, name: str, cells: tuple[str, ...], expected: list[str]
) -> None:
    log = read(tmp_path, name, *cells)
    assert [row.cells[name] for row in log.rows] == expected
    (remark,) = log.remarks
    assert remark.startswith("units are read: ")
    assert f" in {name!r}" in remark


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("variant", ("1a", "2b", "3a")),
        ("kernel", ("3x3", "5x5")),
        ("release", ("1.2.3a", "1.2.4a")),
        ("power_mode", ("15W", "30W")),
        ("gpu", ("3090 Ti", "4090")),
        ("batch size", ("1", "2.5", "1e3", "inf")),
        ("sizes", ("[1, 2]", "3_4")),
        ("run_id", ("1k", "2k")),
        ("aspect", ("16:09", "4:03")),
        ("kernel", ("1:02:03", "1:02:04")),
        ("start_time", ("12:30:15", "12:30:17")),
    ],
)
def test_labels_and_conditions_stay_as_they_are(
    tmp_path: Path, name: str, cells: tuple[str, ...]
) -> None:
    log = read(tmp_path, name, *cells)
    assert [row.cells[name] for row in log.rows] == list(cells)
    assert log.remarks == ()


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("sparsity", ("90%", "0.5", "10%")),
        ("clock", ("900 MHz", "1.5 GHz")),
        ("budget", ("5 ms", "10 MB")),
    ],
)
def test_a_column_of_several_units_is_text_and_that_is_said(
    tmp_path: Path, name: str, cells: tuple[str, ...]
) -> None:
    log = read(tmp_path, name, *cells)
    assert [row.cells[name] for row in log.rows] == list(cells)
    (remark,) = log.remarks
    said = f"has numbers with several units or without one ({cells[0]!r}, {cells[1]!r}), so it is"
    assert said in remark


@pytest.mark.parametrize(
    "cells", [("8B", "16B"), ("8B", "1M", "4M"), ("100B", "1M"), ("8B", "1K", "1M")]
)
def test_a_letter_that_may_mean_bytes_or_billions_is_asked_about(
    tmp_path: Path, cells: tuple[str, ...]
) -> None:
    log = read(tmp_path, "size", *cells)
    assert [row.cells["size"] for row in log.rows] == list(cells)
    (remark,) = log.remarks
    assert "column 'size' may hold bytes or billions" in remark


def test_the_name_of_a_column_is_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []

    def kind_of(name: str) -> str:
        judged.append(name)
        return "unclear"

    monkeypatch.setattr(units_in_cells, "kind_of_name", kind_of)
    units_in_cells.units_in_cells(("model",), [(f"model-{n}-x",) for n in range(100)])
    assert judged == ["model"]


def test_it_is_said_that_a_letter_means_bytes(tmp_path: Path) -> None:
    (remark,) = read(tmp_path, "size", "8B", "1K").remarks
    assert remark == "units are read: '8B' as 8 bytes in 'size'"


def test_a_unit_means_the_same_in_every_file_of_a_column(tmp_path: Path) -> None:
    for name, both, one in (
        ("params", ("500M", "7B"), "7B"),
        ("buffer", ("512B", "4K"), "512B"),
        ("memory_gb", ("16 GB", "512 MB"), "16 GB"),
    ):
        cells = [row.cells[name] for row in read(tmp_path, name, *both).rows]
        (alone,) = read(tmp_path, name, one).rows
        assert cells[both.index(one)] == alone.cells[name]


def test_a_remark_shows_the_number_that_a_cell_with_thousands_became(tmp_path: Path) -> None:
    log = read(tmp_path, "Mean", "10,301.68 ns", "9,000.5 ns")  # as BenchmarkDotNet writes them
    assert [float(row.cells["Mean"]) for row in log.rows] == [0.01030168, 0.0090005]
    assert log.remarks == ("units are read: '10,301.68 ns' as 0.01030168 ms in 'Mean'",)


def test_a_share_is_no_time(tmp_path: Path) -> None:
    path = tmp_path / "shares.csv"
    path.write_text("batch,latency_ms\n1,2.5%\n2,3.5%\n")
    log = read_any_log(path)
    assert [row.cells["latency_ms"] for row in log.rows] == ["2.5%", "3.5%"]
    assert "'latency_ms' is a time by its name, but '2.5%' is none" in log.remarks[0]
