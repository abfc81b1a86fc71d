from pathlib import Path

import pytest

from profilers.log.any_log import AnyLog, read_any_log


def read(tmp_path: Path, name: str, *cells: str) -> AnyLog:
    path = tmp_path / "log.csv"
    lines = [f'"{name}",batch', *(f'"{cell}",{n}' for n, cell in enumerate(cells, 1))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_any_log(path)


@pytest.mark.parametrize(
    ("name", "cells", "expected"),
    [
        ("mean [ms]", ("12.3 ± 0.4", "9.1 ± 1.2"), ["12.3", "9.1"]),
        ("took", ("12.3±0.4", "9.1", ""), ["12.3", "9.1", ""]),
        ("took", ("12.3 +/- 0.4", "9.1 +- 1.2"), ["12.3", "9.1"]),
        ("took", ("12.3 ms ± 400 us", "1.5 s ± 2 ms"), ["12.3", "1500"]),
        ("took", ("12.3 ± 0.4 ms", "1.5 ± 0.1 s"), ["12.3", "1500"]),
        (
            "took",
            ("12.3 ms ± 1 µs per loop (mean ± std. dev. of 7 runs, 10 loops each)",),
            ["12.3"],
        ),
        ("t/s", ("123.45 ± 0.67", "1,023.5 ± 4"), ["123.45", "1023.5"]),
        ("latency_ms", ("12.3 (0.4)", "9.1 (1.2)", ""), ["12.3", "9.1", ""]),
        ("latency_ms", ("12.3(4)", "9.1(2)"), ["12.3", "9.1"]),
        ("latency_ms", ("12.3 (±3 %)", "9.1 (±10 %)"), ["12.3", "9.1"]),
        ("mean", ("12.3 ms (1.0)", "24.6 ms (2.0)"), ["12.3", "24.6"]),
    ],
)
def test_the_number_before_its_spread_is_read(
    tmp_path: Path, name: str, cells: tuple[str, ...], expected: list[str]
) -> None:
    log = read(tmp_path, name, *cells)
    assert [row.cells[name] for row in log.rows] == expected
    assert log.remarks[0].startswith(f"spreads beside numbers are left out: {cells[0]!r} as ")


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("experts", ("8 (2)", "16 (4)")),  # of which so many are active, perhaps
        ("latency_ms", ("12.3 (0.4)", "9.1 (warm)")),
        ("power_mode", ("15 ± 1", "30 ± 1")),
        ("kernel", ("±", "3+-")),
    ],
)
def test_what_may_be_no_spread_stays(tmp_path: Path, name: str, cells: tuple[str, ...]) -> None:
    log = read(tmp_path, name, *cells)
    assert [row.cells[name] for row in log.rows] == list(cells)
    assert log.remarks == ()
