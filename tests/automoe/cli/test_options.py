from typing import Annotated

import pytest
from cyclopts import Parameter

from automoe.cli.main import main
from automoe.cli.options import Options, changed, typed

Capture = pytest.CaptureFixture[str]


class Example(Options):
    n: Annotated[int, Parameter(name="-n")] = 1
    max_width: int = 2
    out: Annotated[str, Parameter(name=("-o", "--out"))] = ""


def test_options_that_were_given_are_named_as_they_are_typed() -> None:
    assert typed(Example()) == {}
    assert typed(Example(n=1, max_width=5, out="x")) == {"-n": 1, "--max-width": 5, "--out": "x"}
    assert changed(Example(n=1, max_width=5)) == {"--max-width": 5}


def test_help_and_version_are_data(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "automoe 0.1.0\n"
    assert main(["search", "--help"]) == 0
    printed = capsys.readouterr()
    assert "Latency in milliseconds that the winner" in printed.out  # as the settings say it
    assert printed.err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bogus"], "Error: No such option: --bogus. See automoe --help."),
        (["log", "bogus"], "Error: No such command 'bogus'. See automoe log --help."),
        (["profil"], "No such command 'profil'. Did you mean 'profile'? See automoe --help."),
        (["log", "chek"], "No such command 'chek'. Did you mean 'check'? See automoe log --help."),
        (["fit", "a.csv", "-o", "p", "--gaol", "5%"], "Did you mean --goal? See automoe fit"),
        (["space", "--bogus", "tiny"], "Error: No such option: --bogus"),
        (["log", "merge", "a.csv", "--bogus", "-o", "b.csv"], "Error: No such option: --bogus"),
        (["log", "merge", "-o", "b.csv"], "Missing argument 'LOGS'."),
        (["space", "tiny", "other"], "unexpected extra argument(s) (other)"),
        (["space", "tiny", "--max-experts"], "Option '--max-experts' requires an argument."),
        (["sample", "--space", "tiny"], "Missing option '-o' / '--out'."),
        (
            ["search", "-o", "b", "--predictor", "p", "--supernet", "s"],
            "Give either '--budget-ms' or '--budget-share'.",
        ),
        (["search", "--budget", "12"], "No such option: --budget. Did you mean --budget-ms?"),
        (["profile", "--devise", "cpu", "--log", "l"], "--devise. Did you mean --device?"),
        (["report", "--compare", "a"], "takes 2 values, FOLDER FOLDER. Got 'a' alone."),
        (["report", "--compare"], "takes 2 values, FOLDER FOLDER. Got none."),
        (["profile", "--devcie=cpu"], "No such option: --devcie. Did you mean --device?"),
        (["space", "tiny", "--json=maybe"], "--json"),
        (["space", "tiny", "--no-json"], "No such option: --no-json"),
        (["search", "--host", "a", "--empty-host"], "Error: "),
    ],
)
def test_wrong_usage_is_one_line(capsys: Capture, arguments: list[str], message: str) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert message in line
    assert printed.out == ""
