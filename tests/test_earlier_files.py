import io
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from automoe.cli.main import main

EARLIER = Path(__file__).with_name("earlier_files")
SPACE = ["--space", "space.yaml", "--max-experts", "3", "--fractional"]
SEARCH = [
    *("search", "--supernet", "supernet", "--predictor", "latency.predictor"),
    *("--budget-ms", "2.2", "--confidence", "0.9", "--data", "text"),
    *("--generations", "3", "--population", "10"),
    *("--parents", "4", "--mutants", "4", "--crossovers", "4"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the files to work in."""
    copied = shutil.copytree(EARLIER, tmp_path / "files")
    monkeypatch.chdir(copied)
    monkeypatch.setenv("AUTOMOE_SIMULATED", "noise=0.02")
    return copied


def test_a_log_is_sound_and_does_not_go_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / "latency.csv").read_bytes()
    assert main(["log", "check", "latency.csv"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if line.startswith(("error", "warning"))] == said[:1]
    assert said[0].startswith("warning [simulated] 24 rows are SIMULATED")
    more = ["profile", "--device", "simulated", *SPACE, "-n", "25", "--fast"]
    assert main([*more, "--log", "latency.csv"]) == 2  # graphs that did less were timed
    assert "'schema_version' must be '2'" in capsys.readouterr().err
    assert (folder / "latency.csv").read_bytes() == before


def test_a_predictor_answers_as_it_did(folder: Path) -> None:
    asked = ["predict", "latency.predictor", "architectures.jsonl", "--confidence", "0.9"]
    assert main([*asked, "-o", "now.csv"]) == 0
    expected, now = pd.read_csv("predicted.csv"), pd.read_csv("now.csv")
    # Whole numbers are written without ".0" since.
    same = {"rtol": 1e-6, "check_dtype": False}
    pd.testing.assert_frame_equal(now[list(expected.columns)], expected, **same)


def test_a_predictor_is_fitted_from_an_earlier_log() -> None:
    assert main(["fit", "latency.csv", "-o", "new.predictor"]) == 0


@pytest.mark.parametrize("generations_kept", [0, 1, 3])
def test_a_search_goes_on_from_its_state(folder: Path, generations_kept: int) -> None:
    state = folder / "predicted.json.state.jsonl"
    lines = state.read_bytes().splitlines(keepends=True)
    state.write_bytes(b"".join(lines[: 1 + generations_kept]))
    expected = json.loads((folder / "predicted.json").read_text())
    (folder / "predicted.json").unlink()
    assert main([*SEARCH, "-o", "predicted.json"]) == 0
    now = json.loads((folder / "predicted.json").read_text())
    assert state.read_bytes() == b"".join(lines)
    for name in ("architecture_id", "fitness", "n_evaluated", "budget_ms", "space", "workload"):
        assert now[name] == expected[name]


def test_a_certified_search_is_measured_again_and_not_mixed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = (folder / "certified.json").read_bytes()
    measured = (folder / "certified.json.verification.csv").read_bytes()
    assert main([*SEARCH, "--device", "simulated", "-o", "certified.json"]) == 2
    said = capsys.readouterr().err
    assert "The predictor was fitted to a log of another release" in said
    assert "measure again: rm certified.json.verification*" in said
    assert (folder / "certified.json").read_bytes() == expected
    assert (folder / "certified.json.verification.csv").read_bytes() == measured


def test_a_training_goes_on_from_its_checkpoint(folder: Path) -> None:
    history = json.loads((folder / "supernet" / "history.json").read_text())
    go_on = ["train", *SPACE, "--settings", "train.yaml", "--data", "text", "-o", "supernet"]
    assert main(go_on) == 0
    assert json.loads((folder / "supernet" / "history.json").read_text()) == history


def test_a_model_is_finetuned_from_an_earlier_supernet() -> None:
    inherits = ["--supernet", "supernet", "--settings", "train.yaml", "--data", "text"]
    assert main(["finetune", "certified.json", *inherits, "-o", "new"]) == 0


def test_a_model_translates_as_it_did(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # A bundle of 0.1.0 has other graphs, and the message says what to do.
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"The file.\n")))
    assert main(["translate", "model", "--beam", "1"]) == 2
    assert "export the model again" in capsys.readouterr().err
    assert main(["export", "certified.json", "--checkpoint", "model", "-o", "again"]) == 0
    capsys.readouterr()
    assert main(["translate", "again", "--beam", "1"]) == 0
    assert capsys.readouterr().out == (folder / "translated.txt").read_text()


def test_a_report_is_drawn_of_an_earlier_run(folder: Path) -> None:
    assert main(["report", "run", "-o", "page.html"]) == 0
    assert "42196113626f" in (folder / "page.html").read_text()


def test_a_supernet_has_the_losses_that_it_had(folder: Path) -> None:
    path = folder / "supernet" / "fitness.jsonl"
    expected = _losses(path)
    for earlier in (path, folder / "predicted.json", folder / "predicted.json.state.jsonl"):
        earlier.unlink()
    assert main([*SEARCH, "-o", "predicted.json"]) == 0
    now = _losses(path)
    both = expected.keys() & now.keys()
    assert len(both) >= 10  # the first generation at least
    for architecture in both:
        assert now[architecture] == pytest.approx(expected[architecture], rel=1e-5)


def _losses(path: Path) -> dict[str, float]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {line["architecture"]: line["value"] for line in lines}
