import numpy as np
import pytest

from automoe.budget import InfeasibleBudgetError
from automoe.cli.exits import ExitCode, exit_code_of, explain_exit
from automoe.space import SearchSpace
from devices import DeviceUnavailableError
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
        (RuntimeError("bug"), ExitCode.FAILURE),
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


def test_an_interruption_names_the_command_that_continues() -> None:
    said = explain_exit(KeyboardInterrupt(), ["run", "my config.yaml"])
    assert said.endswith("continue with: automoe run 'my config.yaml'")
