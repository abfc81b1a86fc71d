"""What a shell is told when the user presses TAB."""

from pathlib import Path

import pytest

from automoe.cli.main import main

Capture = pytest.CaptureFixture[str]


def completed(capsys: Capture, *words: str) -> set[str]:
    assert main(["__complete", *words]) == 0
    return {line.partition("\t")[0] for line in capsys.readouterr().out.splitlines()}


@pytest.mark.parametrize("words", [["profile"], ["doctor"], ["search"]])
def test_devices(capsys: Capture, words: list[str]) -> None:
    assert {"cpu", "jetson", "simulated"} <= completed(capsys, *words, "--device", "")


@pytest.mark.parametrize("words", [["space"], ["train", "--space"], ["sample", "--space"]])
def test_presets_and_files(
    capsys: Capture, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("mine.yaml", "mine.txt"):
        Path(name).touch()
    offered = completed(capsys, *words, "mi")
    assert {"tiny", "wmt14-en-de", "mine.yaml"} <= offered
    assert "mine.txt" not in offered


@pytest.mark.parametrize(
    "option", ["fit --target", "fit --feature", "fit --group", "log check --target"]
)
def test_columns_of_the_log_that_is_named(capsys: Capture, option: str, tmp_path: Path) -> None:
    log = tmp_path / "lat.csv"
    log.write_text('\ufefflayers,"width, in mm",encoder_ms\n1,2,3\n', encoding="utf-8")
    *command, flag = option.split()
    offered = completed(capsys, *command, str(log), flag, "")
    assert {"layers", "width, in mm", "encoder_ms"} <= offered
    assert "encoder_ms" not in completed(capsys, *command, str(tmp_path / "none.csv"), flag, "")
