import contextlib
import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from support.small_text import small_space

from automoe.cli.main import main
from automoe.cli.predicting import _outlook
from profilers import read_any_log

Capture = pytest.CaptureFixture[str]
SCORES = {"mape", "within_5", "within_10", "spearman", "kendall"}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty rows of a straight line with 2 % noise: a number and a list in, two latencies out."""
    path = tmp_path_factory.mktemp("log") / "lat.csv"
    rng = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["gflops", "widths", "encoder_ms", "decoder_ms"])
        for _ in range(40):
            gflops, widths = rng.uniform(1, 9), rng.integers(1, 9, 2) * 16
            noise = rng.lognormal(0, 0.02)
            writer.writerow(
                [f"{gflops:.3f}", f"{widths[0]}_{widths[1]}", gflops * noise, widths.sum() * noise]
            )
    return path


@pytest.fixture(scope="module")
def fitted(log: Path) -> tuple[Path, str]:
    """The predictor's file and what the command printed; a fit takes seconds."""
    path = log.with_name("predictor")
    targets = ["--target", "encoder_ms", "--target", "decoder_ms"]
    chosen = ["--feature", "gflops", "--feature", "widths"]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main(["fit", str(log), "-o", str(path), *targets, *chosen, "--json"]) == 0
    return path, printed.getvalue()


@pytest.fixture(scope="module")
def predictor(fitted: tuple[Path, str]) -> Path:
    return fitted[0]


def test_the_report_in_json(fitted: tuple[Path, str]) -> None:
    report = json.loads(fitted[1])
    assert {"winner", "models", "coverage", "noise_floor", *SCORES} <= report.keys()
    assert all(model.keys() >= SCORES for model in report["models"])
    best = next(m for m in report["models"] if m["name"] == report["winner"])
    assert {name: report[name] for name in SCORES} == {name: best[name] for name in SCORES}
    assert report["targets"] == ["encoder_ms", "decoder_ms"]
    assert report["features"] == ["gflops", "widths.mean", "widths.sum", "widths.count"]


def test_a_fit_and_a_log_have_pages(log: Path, tmp_path: Path, capsys: Capture) -> None:
    page, predictor = tmp_path / "fit.html", tmp_path / "p"
    chosen = ["--target", "encoder_ms", "--feature", "gflops", "--html", str(page)]
    assert main(["fit", str(log), "-o", str(predictor), *chosen]) == 0
    text = page.read_text()
    assert "mean error on rows that it had not seen" in text
    command = f"automoe fit {log} --out {predictor} --target encoder_ms --feature gflops --html"
    assert f"{command} {page}" in text
    of_log = tmp_path / "log.html"
    assert main(["log", "show", str(log), "--html", str(of_log)]) == 0
    assert "widths" in of_log.read_text()
    assert f"page: {of_log}" in capsys.readouterr().err


def test_a_mistyped_folder_is_refused_before_anything_is_read(
    log: Path, predictor: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "mistyped" / "out"
    for command in (["fit", log], ["predict", predictor, log]):
        assert main([*map(str, command), "-o", str(out)]) == 2
        assert f"The folder '{out.parent}' does not exist. Make it" in capsys.readouterr().err
    assert not out.parent.exists()


def test_input_columns_come_back_as_they_were_written(
    predictor: Path, capsys: Capture, tmp_path: Path
) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("name,gflops,widths\n007,2.50,32_64\n\n008,400,16_16\n")
    assert main(["predict", str(predictor), str(table)]) == 0
    printed = capsys.readouterr()
    header, *rows = csv.reader(printed.out.splitlines())
    columns = ["predicted_ms", "lower_ms", "upper_ms", "outside"]
    assert header == ["name", "gflops", "widths", *columns]
    assert [row[-1] for row in rows] == ["False", "True"]
    assert [row[:3] for row in rows] == [["007", "2.50", "32_64"], ["008", "400", "16_16"]]
    assert "1 of 2 rows lies outside the log that was fitted, where gflops is 1." in printed.err
    assert main(["predict", str(predictor), str(table), "--json"]) == 0
    records = json.loads(capsys.readouterr().out)
    written = tmp_path / "predicted.csv"
    assert main(["predict", str(predictor), str(table), "-o", str(written)]) == 0
    assert capsys.readouterr().out == f"{written}: 2 rows\n"
    assert written.read_text() == printed.out
    assert [(each["name"], each["outside"]) for each in records] == [("007", False), ("008", True)]
    assert records[0]["predicted_ms"] == pytest.approx(float(rows[0][3]), abs=1e-6)
    for row in rows:
        predicted, low, high = map(float, row[3:-1])
        assert all(len(text.partition(".")[2]) == 6 for text in row[3:-1])
        assert 0 < low <= predicted <= high


def test_a_terminal_gets_few_digits(
    predictor: Path, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("gflops,widths\n2.5,32_64\n")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["predict", str(predictor), str(table)]) == 0
    *_, predicted, low, high, _ = capsys.readouterr().out.splitlines()[1].split(",")
    assert all(len(text.replace(".", "")) <= 4 for text in (predicted, low, high))
    assert float(low) <= float(predicted) <= float(high)


def test_rows_of_another_device_are_warned_of(capsys: Capture, tmp_path: Path) -> None:
    log, rows = tmp_path / "lat.csv", tmp_path / "rows.csv"
    noise = np.random.default_rng(0).uniform(0.98, 1.02, 20)
    lines = [f"{n},board,{(n + 5) * factor}" for n, factor in enumerate(noise)]
    log.write_text("\n".join(["layers,device,latency_ms", *lines]))
    rows.write_text("layers,device\n3,board\n4,pi\n")
    assert main(["fit", str(log), "-o", str(tmp_path / "p")]) == 0
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "p"), str(rows)]) == 0
    assert capsys.readouterr().err == (
        f"warning: column 'device' was 'board' in the log that was fitted and is 'pi' in {rows}; "
        "the prediction is for the former\n"
    )


def test_a_table_in_json_is_predicted_and_what_was_done_to_it_is_said(
    predictor: Path, capsys: Capture, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"gflops": "3.5 GFLOP", "widths": [16, 32], "encoder": 6}\n')
    assert main(["predict", str(predictor), str(rows)]) == 0
    printed = capsys.readouterr()
    header = "gflops,widths,encoder,predicted_ms,lower_ms,upper_ms,outside"
    assert printed.out.splitlines()[0] == header
    assert printed.out.splitlines()[1].startswith("3.5 GFLOP,")
    assert printed.err.splitlines()[0] == "units are read: '3.5 GFLOP' as 3.5 in 'gflops'"


@pytest.mark.parametrize("cell", ["3.5 GFLOP", "1e1", "+3.50"])
def test_the_columns_of_the_user_come_back_as_they_were_written(
    predictor: Path, tmp_path: Path, cell: str
) -> None:
    rows, out = tmp_path / "rows.csv", tmp_path / "out.csv"
    rows.write_text(f"gflops;widths;pool\n{cell};16_32;8 GiB\n")
    assert main(["predict", str(predictor), str(rows), "-o", str(out)]) == 0
    (row,) = csv.DictReader(io.StringIO(out.read_text()))
    assert (row["gflops"], row["widths"], row["pool"]) == (cell, "16_32", "8 GiB")
    assert float(row["predicted_ms"]) > 0


@pytest.mark.parametrize(
    ("rows", "values"),
    [
        ("gflops;widths;size\n3,5;16_32;1.234\n4,5;16_32;2.345\n", ((3.5, 1234), (4.5, 2345))),
        ("gflops,widths,size\n3.5,16_32,8 GiB\n4.5,16_32,4 GiB\n", ((3.5, 2**33), (4.5, 2**32))),
    ],
)
def test_a_table_of_predictions_has_the_numbers_of_the_users(
    predictor: Path, tmp_path: Path, rows: str, values: tuple[tuple[float, float], ...]
) -> None:
    given, out = tmp_path / "rows.csv", tmp_path / "out.csv"
    given.write_text(rows)
    assert main(["predict", str(predictor), str(given), "-o", str(out)]) == 0
    first, again = read_any_log(given), read_any_log(out)
    read = [(row.number("gflops"), row.number("size")) for row in again.rows]
    assert read == [(row.number("gflops"), row.number("size")) for row in first.rows]
    unit = 1e6 if "GiB" in rows else 1
    assert read == [(gflops, size / unit) for gflops, size in values]
    assert main(["predict", str(predictor), str(out), "-o", str(tmp_path / "twice.csv")]) == 0


def test_a_predictor_of_other_things_refuses_architectures(
    predictor: Path, capsys: Capture, tmp_path: Path
) -> None:
    path = tmp_path / "a.json"
    path.write_text(small_space().smallest().to_json())
    assert main(["predict", str(predictor), str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "was fitted to a log without architectures" in line


@pytest.mark.parametrize(
    ("text", "flags", "message"),
    [
        ("gflops\n1\n", [], "no column 'widths'"),
        ("gflops,widths\n", [], "has a header and no rows. Add rows below it."),
        ("gflops,widths\n1e308,16_16\n", [], "column 'gflops': a feature must be a number from"),
        ("gflops,widths\n1\n", [], "line 2: 1 field, expected 2"),
        ("gflops,widths\n1,16_16\n", ["--confidence", "0.99"], "needs at least 99 measured rows"),
        (
            "gflops,widths\n1,16_16\n",
            ["--confidence", "95"],
            "must be a share: write 0.95 or 95%. Got 95",
        ),
    ],
)
def test_bad_rows_are_one_clear_line(
    predictor: Path, capsys: Capture, tmp_path: Path, text: str, flags: list[str], message: str
) -> None:
    table = tmp_path / "rows.csv"
    table.write_text(text)
    assert main(["predict", str(predictor), str(table), *flags]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert message in line


def test_an_unknown_target_is_named(log: Path, capsys: Capture, tmp_path: Path) -> None:
    assert main(["fit", str(log), "-o", str(tmp_path / "p"), "--target", "encoder_mss"]) == 2
    assert "no column 'encoder_mss'. Did you mean 'encoder_ms'?" in capsys.readouterr().err


def test_a_goal_decides_the_exit_code_and_says_what_is_missing(
    log: Path, capsys: Capture, tmp_path: Path
) -> None:
    command = ["fit", str(log), "-o", str(tmp_path / "p"), "--target", "encoder_ms"]
    assert main([*command, "--goal", "20%"]) == 0
    assert "enough: " in capsys.readouterr().out
    assert main([*command, "--goal", "0.001", "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["verdict"].startswith("not enough yet: ")
    assert main([*command, "--goal", "2"]) == 2
    assert "'--goal' must be a share such as 3% or 0.03. Got '2'." in capsys.readouterr().err


def test_a_fit_shows_the_roles_of_columns_and_draws_it(
    log: Path, capsys: Capture, tmp_path: Path
) -> None:
    targets = ["--target", "encoder_ms", "--target", "decoder_ms"]
    plots = tmp_path / "plots"
    command = ["fit", str(log), "-o", str(tmp_path / "p"), *targets, "--plots", str(plots)]
    assert main(command) == 0
    captured = capsys.readouterr()
    printed, predictor = captured.out, tmp_path / "p"
    columns = "a table with the columns gflops, widths."
    assert f"Next: automoe predict {predictor} ROWS.csv, {columns}\n" in captured.err
    assert "target: encoder_ms, decoder_ms\n" in printed
    assert "feature: gflops, widths\n" in printed
    assert "if the error goes on falling as before, 20 more measurements lower it by" in printed
    assert {path.name for path in plots.iterdir()} >= {"parity.png", "calibration.png"}


def test_a_folder_is_no_log(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["fit", ".", "-o", "m.predictor"]) == 2
    assert "'.' must be a file. Got a folder; give the file in it." in capsys.readouterr().err


def test_a_base_must_be_a_predictor(log: Path, capsys: Capture, tmp_path: Path) -> None:
    command = ["fit", str(log), "-o", str(tmp_path / "p"), "--target", "encoder_ms"]
    assert main([*command, "--base", str(log)]) == 2
    assert "is not a predictor" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "folder"], "folder': Is a directory. Check the path."),
        (["-o", "file/p"], "file': File exists. Check the path."),
        (["-o", "p", "--plots", "file"], "file': File exists. Check the path."),
        (["-o", "lat.csv"], "'lat.csv' is read and must not be replaced. Choose another output."),
        (["-o", "p", "--html", "lat.csv"], "'lat.csv' is read and must not be replaced."),
        (["-o", "p", "--base", "file", "--html", "file"], "'file' is read and must not be"),
        (["-o", "p", "--html", "./p"], "'--out' and '--html' must be two files. Got 'p' for both."),
    ],
)
def test_a_fit_that_could_not_be_written_is_not_begun(
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    tmp_path: Path,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("predictors.fit_log", pytest.fail)
    Path("folder").mkdir()
    Path("file").write_text("mine")
    Path("lat.csv").write_text("layers,latency_ms\n")
    assert main(["fit", "lat.csv", *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "file", "lat.csv"}


def test_a_prediction_that_could_not_be_written_is_not_begun(
    predictor: Path, capsys: Capture, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("gflops,widths\n")
    command = ["predict", str(predictor), str(rows), "-o", str(tmp_path)]
    assert main(command) == 2
    assert "Is a directory. Check the path." in capsys.readouterr().err


def test_a_fit_says_what_it_left_out_and_converted(capsys: Capture, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path, out = tmp_path / "lat.csv", tmp_path / "predictor"
    rows = ["batch;tokens/s;outcome;took"]
    for batch in rng.choice([1, 2, 4, 8, 16], 24):
        seconds = 0.01 * (1 + batch) * rng.lognormal(0, 0.02)
        cells = [str(batch), f"{batch / seconds:.2f}", f"{3e4 / seconds:.3f}", f"{seconds:.6f}"]
        rows.append(";".join(cells).replace(".", ","))
    path.write_text("\n".join(rows), encoding="utf-8-sig")
    command = ["fit", str(path), "-o", str(out), "--target", "took", "--unit", "s", "--json"]
    assert main(command) == 0
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert report["features"] == ["batch"]
    assert set(report["left_out"]) == {"tokens/s", "outcome"}
    assert "'took' is in seconds, by --unit; times 1000 it is in ms\n" in printed.err
    assert "left out of the features: tokens/s (a result, by its name); outcome (it" in printed.err


def test_a_log_that_comes_through_a_pipe_is_read_once() -> None:
    assert _outlook(Path(os.devnull)) == ""  # as little a file as a pipe is


@pytest.mark.parametrize(("rows", "is_told"), [(19, False), (20, True)])
def test_no_time_is_told_of_a_log_that_is_too_short(
    tmp_path: Path, rows: int, is_told: bool
) -> None:
    path = tmp_path / "short.csv"
    path.write_text("batch,latency_ms\n" + "1,2\n" * rows)
    assert bool(_outlook(path)) is is_told
    assert _outlook(path, base=path)
