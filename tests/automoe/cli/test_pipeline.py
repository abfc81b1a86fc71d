from pathlib import Path

import pytest

from automoe.cli.main import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "result.json").write_text("mine")
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--compare", "run"], "takes 2 values, FOLDER FOLDER. Got 'run' alone."),
        ([], "Give either the folder of a run or --compare with two folders. Got neither."),
        (["run", "--compare", "run", "run"], "Got both, 'run' and --compare."),
        (["run", "-o", "run/result.json"], "'run/result.json' must end in .html, because 'run'"),
        (["--compare", "run", "run", "-o", "run/result.json"], "must end in .html"),
        (["."], "'.' holds no finished run. 'automoe run' makes and finishes one."),
        (["run/result.json"], "'run/result.json' must be a folder."),
    ],
)
def test_a_page_that_cannot_be_drawn_changes_nothing(
    capsys: Capture, run: Path, arguments: list[str], message: str
) -> None:
    assert main(["report", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert (run / "result.json").read_text() == "mine"
