"""The list of commands and the page of each one, as a newcomer reads them."""

import re
import shlex
import subprocess
import sys

import pytest
from support.commands import arguments_of, command_names, parse

from automoe.cli.main import main
from automoe.cli.tour import FIRST_STEPS, LOG_COMMANDS, TOUR

Capture = pytest.CaptureFixture[str]
EXAMPLES = {
    **{name: each.examples for commands in TOUR.values() for name, each in commands.items()},
    **{f"log {name}": each.examples for name, each in LOG_COMMANDS.items()},
}


def page(capsys: Capture, *words: str) -> str:
    main([*words, "--help"])
    return capsys.readouterr().out


def loaded_by(code: str) -> set[str]:
    code = f"import sys; {code}; print('MODULES', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.rpartition("MODULES")[2].split()}


@pytest.mark.parametrize(
    ("name", "example"), [(name, each) for name, both in EXAMPLES.items() for each in both]
)
def test_the_program_understands_each_example(name: str, example: str) -> None:
    words = shlex.split(example.partition(" <")[0])
    assert words[: 1 + len(name.split())] == ["automoe", *name.split()]
    parse(words[1:])


def test_the_first_steps_are_understood() -> None:
    for step in FIRST_STEPS[:-1]:
        parse(shlex.split(step)[1:])


@pytest.mark.parametrize("name", command_names())
def test_the_page_of_a_command_ends_with_its_two_examples(capsys: Capture, name: str) -> None:
    text = page(capsys, *name.split())
    end = text[text.index("\nExamples:\n") :]
    shown = shlex.split(end.replace("\\\n", ""))
    assert shown == ["Examples:", *shlex.split(" ".join(EXAMPLES[name]))]
    assert max(map(len, end.splitlines())) <= 80


@pytest.mark.parametrize("width", ["40", "80", "200"])
@pytest.mark.parametrize("name", ["", *command_names()])
def test_no_line_of_help_is_cut(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, name: str, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    text = page(capsys, *name.split())
    assert "…" not in text
    words = set(re.findall(r"[A-Za-z]+", text))
    for argument in arguments_of(name) if name else ():
        if width != "40":  # there a long flag takes two lines
            assert all(flag in text for flag in argument.names)
        said = set(re.findall(r"[A-Za-z]+", argument.parameter.help or ""))
        assert said, f"{argument.name} has no help"
        assert said <= words


@pytest.mark.parametrize("name", command_names())
def test_each_value_has_a_word_that_says_its_unit_or_meaning(capsys: Capture, name: str) -> None:
    words = re.findall(
        r"^│[ *]+-[-a-z ]* ([A-Z=:]+)(?:\.\.\.)?(?: |$)", page(capsys, *name.split()), re.M
    )
    assert {"INT", "FLOAT", "STR", "PATH"}.isdisjoint(words)


@pytest.mark.parametrize("words", [[], ["log"]])
def test_the_program_alone_shows_its_commands_and_fails(capsys: Capture, words: list[str]) -> None:
    assert main(words) == 2
    printed = capsys.readouterr()
    assert printed.out == page(capsys, *words)
    assert printed.err == ""


def test_the_commands_are_listed_in_the_order_of_use(capsys: Capture) -> None:
    text = page(capsys)
    listed = re.findall(r"^│ ([a-z]+) ", text, flags=re.M)
    assert listed == [name for commands in TOUR.values() for name in commands]
    steps = ["devices", "profile", "fit", "train", "search", "finetune", "evaluate", "translate"]
    assert sorted(steps, key=listed.index) == steps


def test_what_was_not_asked_for_is_not_loaded() -> None:
    heavy = {"numpy", "pydantic", "scipy", "pandas", "sklearn", "torch", "onnx", "onnxruntime"}
    assert loaded_by("import automoe") & (heavy | {"cyclopts", "rich", "yaml"}) == set()
    shown = loaded_by("from automoe.cli.main import main; main(['--help'])")
    assert shown & heavy == set()
    assert {"cyclopts", "rich"} <= shown


def test_no_command_loads_what_takes_seconds_before_it_knows_its_options() -> None:
    code = (
        "from automoe.cli.main import main; main(['search', '--help']); main(['train', '--help'])"
    )
    heavy = {"torch", "onnx", "onnxruntime", "pandas", "sklearn"}
    assert (
        loaded_by(f"{code}; main(['fit', '--help']); main(['predict', '--help'])") & heavy == set()
    )


MISSING = (
    *("fit no.csv -o p", "predict no.predictor a.jsonl", "log check no.csv", "log show no.csv"),
    *("train --space no -o n", "train --space tiny --data no -o n", "run no.yaml"),
    *("train --space tiny --settings no.yaml -o n", "finetune no.json -o m", "export no.json -o m"),
    *(
        "evaluate no",
        "translate no",
        "serve no",
        "report no -o r.html",
        "ranking no",
        "run no.yaml --dry-run",
    ),
    "search --supernet no --predictor no --budget-ms 3 -o b.json",
    "search --supernet . --predictor . --budget-ms 0 -o b.json",
    "fit no.csv -o p --goal 3",
    "profile --device cpu --model no.onnx --log l.csv",
    "profile --device cpu --archs no.jsonl --log l.csv",
)


def test_a_missing_file_is_told_before_anything_that_takes_seconds() -> None:
    code = f"""
from automoe.cli.main import main
codes = [main(words.split()) for words in {MISSING!r}]
assert set(codes) == {{2}}, codes
"""
    heavy = {"torch", "onnx", "onnxruntime", "pandas", "sklearn", "xgboost"}
    assert loaded_by(f"exec({code!r})") & heavy == set()


@pytest.mark.parametrize("name", ["profile", "search", "fit"])
def test_options_are_in_groups(capsys: Capture, name: str) -> None:
    titles = re.findall(r"^╭─ (.+?) ─+╮$", page(capsys, name), flags=re.M)
    assert titles[-1] == "Output"
    assert len(titles) >= 4
    assert "Options" not in titles


@pytest.mark.parametrize(
    ("command", "first", "then"),
    [
        ("search", "--budget-ms", "--population"),
        ("train", "--space SPACE", "--settings FILE"),
        ("fit", "-o FILE", "--json"),
    ],
)
def test_what_a_command_needs_comes_first_in_its_group(
    command: str, first: str, then: str, capsys: Capture
) -> None:
    assert main([command, "--help"]) == 0
    groups = capsys.readouterr().out.partition("\u2500 ")[2]
    assert 0 < groups.index(first) < groups.index(then)
