from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.measurements import made_up

from predictors import TableError, fit_log
from predictors.log_quality import judge, quality_counts
from profilers.log.rows import format_line


def layers(n: int) -> np.ndarray:
    return np.random.default_rng(1).integers(1, 8, n)


def write(path: Path, latencies: Sequence[float], name: str = "latency_ms") -> Path:
    frame = pd.DataFrame({"layers": layers(len(latencies)), name: latencies})
    frame.to_csv(path, index=False)
    return path


def sound(n: int = 60) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.asarray((10 + layers(n)) * rng.lognormal(0, 0.01, n))


def test_a_sound_log_has_nothing_to_mind(tmp_path: Path) -> None:
    assert judge(write(tmp_path / "a.csv", sound()), ["latency_ms"]) == ()


def test_a_torn_last_line_is_named_although_it_is_no_row(tmp_path: Path) -> None:
    rows = [made_up(f"p{i}").row() for i in range(3)]
    content = b"".join(map(format_line, [list(rows[0]), *(list(row.values()) for row in rows)]))
    path = tmp_path / "ours.csv"
    path.write_bytes(content[:-30])
    torn = [line for line in judge(path, ["latency_ms"], lines=(2, 3)) if "[torn]" in line]
    assert len(torn) == 1
    assert "line 4" in torn[0]


def test_seconds_among_milliseconds_are_refused(tmp_path: Path) -> None:
    latencies = sound()
    latencies[30] /= 1000
    path = write(tmp_path / "a.csv", latencies)
    with pytest.raises(TableError, match=r"a.csv: 1 latencies are about .*line 32 \[unit\]"):
        fit_log(path)


def test_a_column_in_seconds_is_converted_and_said(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", sound(), name="latency_s")
    report = fit_log(path, targets=["latency_s"]).report
    assert report.conversions == (
        "'latency_s' is in seconds, as its name says; times 1000 it is in ms",
    )


def test_a_constant_latency_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"all 40 rows have the latency 5 \[constant\]"):
        fit_log(write(tmp_path / "a.csv", [5.0] * 40))


def test_drift_is_minded(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", sound(120) * np.linspace(1, 1.3, 120))
    predictor = fit_log(path)
    assert any("[drift]" in warning for warning in predictor.report.warnings)


def test_grades_are_counted() -> None:
    assert quality_counts(pd.DataFrame({"quality": ["B", "A", "B"]})) == {"A": 1, "B": 2}
    assert quality_counts(pd.DataFrame({"layers": [1]})) == {}


def test_a_row_that_is_left_out_is_not_judged(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", sound())
    frame = pd.read_csv(path).assign(flags="")
    frame.loc[7, "latency_ms"], frame.loc[7, "flags"] = None, "failed"
    frame.to_csv(path, index=False)
    assert fit_log(path).report.n_excluded == 1


def test_mixed_conditions_are_refused_unless_they_are_features(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", sound())
    frame = pd.read_csv(path)
    frame["precision"] = np.where(frame.index % 2, "fp32", "int8")
    frame.to_csv(path, index=False)
    with pytest.raises(TableError, match="column 'precision' has 'int8', 'fp32'"):
        fit_log(path)
    fit_log(path, features=["layers", "precision"])
