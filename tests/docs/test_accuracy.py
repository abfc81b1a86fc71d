"""The page of accuracy says what its file says, and nothing is published without a command."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.scripts import script

ROOT = Path(__file__).parents[2]
CONTENT: dict[str, Any] = yaml.safe_load((ROOT / "docs/accuracy.yaml").read_text())
FIGURES = [figure for group in CONTENT["groups"] for figure in group["figures"]]
write_accuracy = script("docs/write_accuracy.py")


def test_the_page_is_written_from_its_file() -> None:
    written = (ROOT / "docs/accuracy.md").read_text()
    assert written == write_accuracy.page(CONTENT), "run: python docs/write_accuracy.py"


def test_each_figure_names_a_script_that_exists() -> None:
    commands = [command for figure in FIGURES for command in figure["commands"]]
    assert len(commands) > 30
    scripts = {command.split()[1] for command in commands if command.startswith("python ")}
    assert [name for name in sorted(scripts) if not (ROOT / name).is_file()] == []
    others = {command.split()[0] for command in commands if not command.startswith("python ")}
    assert others == {"automoe"}


def test_the_page_tells_what_was_missed() -> None:
    page = (ROOT / "docs/accuracy.md").read_text()
    missed = [figure["what"] for figure in FIGURES if figure.get("met") is False]
    assert missed
    assert [what for what in missed if not re.search(rf"\| {re.escape(what)} .*missed", page)] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"commands": None}, "lacks commands"),
        ({"commands": []}, "has no command"),
        ({"date": None}, "lacks date"),
        ({"met": None}, "both a goal and whether it is met"),
        ({"machine": "mine"}, "machine 'mine'"),
        ({"reslut": "1 %"}, "unknown keys: reslut"),
    ],
)
def test_a_figure_that_cannot_be_checked_is_refused(change: dict[str, Any], message: str) -> None:
    content = copy.deepcopy(CONTENT)
    figure = content["groups"][0]["figures"][0] | change
    kept = {key: value for key, value in figure.items() if value is not None}
    content["groups"][0]["figures"][0] = kept
    with pytest.raises(ValueError, match=message):
        write_accuracy.page(content)


def test_the_readme_gives_figures_of_that_page() -> None:
    section = (ROOT / "README.md").read_text().split("\n## Accuracy\n")[1].split("\n## ")[0]
    published = set(re.findall(r"\d+(?:\.\d+)?", (ROOT / "docs/accuracy.yaml").read_text()))
    numbers = re.findall(r"(\d+(?:\.\d+)?) %", section)
    assert len(numbers) >= 6
    assert [number for number in numbers if number not in published] == []
