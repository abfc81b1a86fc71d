import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cyclopts import CycloptsError

from automoe.architecture.space import SearchSpace, SpaceError
from automoe.cli.exits import (
    TRACEBACK_VARIABLE,
    ExitCode,
    exit_code_of,
    explain_exit,
    report,
)
from automoe.cli.main import main
from automoe.latency.infeasible_budget import InfeasibleBudgetError
from devices import DeviceUnavailableError
from devices.remote.session import ConnectionLostError
from profilers import ProfilingError


def raised(action: object) -> BaseException:
    try:
        action()  # type: ignore[operator]
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
        (DeviceUnavailableError("gone"), ExitCode.NO_DEVICE),
        (ProfilingError("gone"), ExitCode.NO_DEVICE),
        (InfeasibleBudgetError("no"), ExitCode.INFEASIBLE),
        (FileNotFoundError("no file"), ExitCode.BAD_INPUT),
        (PermissionError(13, "Permission denied", "x"), ExitCode.BAD_INPUT),
        (CycloptsError("no"), ExitCode.BAD_INPUT),
        (SpaceError("no"), ExitCode.BAD_INPUT),
        (RuntimeError("bug"), ExitCode.FAILURE),
        (KeyError("bug"), ExitCode.FAILURE),
    ],
)
def test_codes(error: BaseException, code: ExitCode) -> None:
    assert exit_code_of(error) is code


def test_our_own_check_is_bad_input_and_a_librarys_is_our_failure() -> None:
    ours = raised(lambda: SearchSpace.preset("nowhere"))
    theirs = raised(lambda: np.ones(3).reshape(2, 2))
    assert isinstance(theirs, ValueError)
    assert exit_code_of(ours) is ExitCode.BAD_INPUT
    assert exit_code_of(theirs) is ExitCode.FAILURE
    assert "Internal error: ValueError: cannot reshape" in explain_exit(theirs, [])


def test_ctrl_c_in_a_command_says_how_to_continue(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("automoe.pipeline.RunConfig.of", interrupted)
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text("name: mine")
    assert main(["run", "config.yaml"]) == 130
    assert "continue with: automoe run config.yaml" in capsys.readouterr().err


def test_an_interruption_names_the_command_that_continues() -> None:
    arguments = ["run", "my config.yaml", "-o", "it's $HOME"]
    said = explain_exit(KeyboardInterrupt(), arguments)
    command = said.rpartition("continue with: ")[2]
    assert command.startswith("automoe run 'my config.yaml' -o ")
    assert shlex.split(command) == ["automoe", *arguments]


@pytest.mark.parametrize(
    ("error", "arguments", "said"),
    [
        (
            KeyboardInterrupt("A checkpoint of update 37 of 90 was saved."),
            ["train", "--space", "tiny", "-o", "net"],
            "Interrupted. A checkpoint of update 37 of 90 was saved. "
            "Continue with: automoe train --space tiny -o net",
        ),
        (
            KeyboardInterrupt(),
            ["train", "-o", "net"],
            "Interrupted. Checkpoints that were saved before are kept. "
            "Continue with: automoe train -o net",
        ),
        (
            KeyboardInterrupt(),
            ["fit", "a.csv", "-o", "p"],
            "Interrupted. Start again with: automoe fit a.csv -o p",
        ),
    ],
)
def test_an_interruption_says_what_is_kept(
    error: KeyboardInterrupt, arguments: list[str], said: str
) -> None:
    assert explain_exit(error, arguments) == said


def test_a_lost_connection_names_the_command_that_continues() -> None:
    error = ConnectionLostError("The connection to pi@board was lost.")
    assert exit_code_of(error) is ExitCode.NO_DEVICE
    assert explain_exit(error, ["profile", "--log", "my log.csv"]) == (
        "Error: The connection to pi@board was lost. What is finished is kept; "
        "continue with: automoe profile --log 'my log.csv'"
    )


def test_a_file_is_named_with_what_is_wrong() -> None:
    error = raised(lambda: Path("/nowhere/x").read_text())
    said = explain_exit(error, ["train"])
    assert said == "Error: '/nowhere/x': No such file or directory. Check the path."


def test_an_explanation_is_one_line() -> None:
    said = explain_exit(SpaceError("first\nsecond"), ["train"])
    assert said == "Error: first second"


def test_the_report_goes_to_stderr_with_a_traceback_on_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = raised(lambda: SearchSpace.preset("nowhere"))
    monkeypatch.delenv(TRACEBACK_VARIABLE, raising=False)
    assert report(error, ["train"]) is ExitCode.BAD_INPUT
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("Error: Unknown space 'nowhere'.")
    assert printed.err.count("\n") == 1
    monkeypatch.setenv(TRACEBACK_VARIABLE, "1")
    report(error, ["train"])
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_reader_who_has_seen_enough_ends_it_without_a_word() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-u", "-m", "automoe", "devices"]
    finished = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (finished.returncode, finished.stderr) == (ExitCode.FAILURE, "")
