"""Choose the exit code and the one line of a failed command."""

import difflib
import os
import shlex
import sys
import traceback
from enum import IntEnum
from pathlib import Path

from cyclopts import (
    CycloptsError,
    MissingArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)
from cyclopts.argument import Argument
from pydantic import ValidationError

from automoe.cli.option_names import similar_option, with_options
from automoe.field_errors import explain
from automoe.latency.infeasible_budget import InfeasibleBudgetError
from devices import DeviceUnavailableError, device_names, get_device
from devices.remote.session import ConnectionLostError

_PACKAGES = ("automoe", "predictors", "profilers", "devices")
_RESUMED = frozenset({"profile", "search", "ranking", "run"})
TRACEBACK_VARIABLE = "AUTOMOE_TRACEBACK"


class ExitCode(IntEnum):
    """The exit codes of the program."""

    OK = 0
    FAILURE = 1
    BAD_INPUT = 2
    PARTIAL = 3
    QUALITY = 4
    INFEASIBLE = 6
    NO_DEVICE = 7
    INTERRUPTED = 130


def exit_code_of(error: BaseException) -> ExitCode:
    """Return the exit code for the error that ended a command.

    A ``ValueError`` from a check of AutoMoE is bad input; one from a library is a failure.
    """
    from profilers import ProfilingError  # scipy takes a moment to import

    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, CycloptsError):
        return ExitCode.BAD_INPUT
    if isinstance(error, DeviceUnavailableError | ProfilingError):
        return ExitCode.NO_DEVICE
    if isinstance(error, InfeasibleBudgetError):
        return ExitCode.INFEASIBLE
    if isinstance(error, OSError) or (
        isinstance(error, ValueError) and _is_raised_by_automoe(error)
    ):
        return ExitCode.BAD_INPUT
    return ExitCode.FAILURE


def explain_exit(error: BaseException, arguments: list[str]) -> str:
    """Return the line for stderr."""
    code = exit_code_of(error)
    if code is ExitCode.INTERRUPTED:
        return _interrupted(_one_line(error) if str(error) else "", arguments)
    if code is ExitCode.FAILURE:
        return (
            f"Internal error: {type(error).__name__}: {_one_line(error)} "
            f"Set {TRACEBACK_VARIABLE}=1 to see where, and report it."
        )
    if isinstance(error, CycloptsError):
        command = " ".join(["automoe", *(error.command_chain or ())])
        return f"Error: {with_options(_usage(error), arguments)} See {command} --help."
    if isinstance(error, ConnectionLostError):
        command = shlex.join(["automoe", *arguments])
        return f"Error: {_one_line(error)} What is finished is kept; continue with: {command}"
    if isinstance(error, OSError) and error.filename:
        return f"Error: '{error.filename}': {error.strerror}. Check the path."
    return f"Error: {with_options(_one_line(error), arguments)}"


def _interrupted(kept: str, arguments: list[str]) -> str:
    """Return the line of an interruption, which says what is kept: ``kept`` when it is known."""
    command = shlex.join(["automoe", *arguments])
    if kept:
        return f"Interrupted. {kept} Continue with: {command}"
    if arguments[:1] in (["train"], ["finetune"]):
        return f"Interrupted. Checkpoints that were saved before are kept. Continue with: {command}"
    if arguments and arguments[0] in _RESUMED:
        return f"Interrupted. What is finished is kept; continue with: {command}"
    return f"Interrupted. Start again with: {command}"


def report(error: BaseException, arguments: list[str]) -> ExitCode:
    """Print the line, and the traceback when the user asks for it; return the exit code."""
    error = _unavailable_device(error, arguments) or error
    if os.environ.get(TRACEBACK_VARIABLE) == "1":
        traceback.print_exception(error)
    print(explain_exit(error, arguments), file=sys.stderr)
    return exit_code_of(error)


def _is_raised_by_automoe(error: BaseException) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return True
    package_root = Path(__file__).parents[2]
    raised_in = Path(frames[-1].filename)
    return any(raised_in.is_relative_to(package_root / name) for name in _PACKAGES) or any(
        type(error).__module__.partition(".")[0] == name for name in _PACKAGES
    )


def _usage(error: CycloptsError) -> str:
    """Return what is wrong with the words of a command line."""
    if isinstance(error.__cause__, ValidationError):
        return _refused_value(error, error.__cause__)
    words = error.unused_tokens or []
    if isinstance(error, UnknownCommandError) and words:
        if words[0].startswith("-"):
            return f"No such option: {words[0]}."
        return f"No such command '{words[0]}'.{_similar_command(words[0], error)}"
    if isinstance(error, UnusedCliTokensError):
        return f"Got unexpected extra argument(s) ({' '.join(words)})."
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        if error.keyword is not None:
            return _too_few_values(error, error.argument)
        return _mistyped(error) or _missing(error.argument, *_also_missing(error))
    if isinstance(error, UnknownOptionError):
        name = (error.token.keyword or error.token.value).partition("=")[0]
        names = [name for each in error.argument_collection if each.parse for name in each.names]
        return f"No such option: {name}.{similar_option(name, names)}"
    return _one_line(error)


def _too_few_values(error: MissingArgumentError, option: Argument) -> str:
    """Return which values an option still needs."""
    n_values, _ = option.token_count()
    if n_values < 2:
        return f"Option '{error.keyword}' requires an argument."
    given = ", ".join(f"'{value}'" for value in error.tokens_so_far)
    wanted = f"{n_values} values, {option.parameter.metavar}"
    return f"Option '{error.keyword}' takes {wanted}. Got {f'{given} alone' if given else 'none'}."


def _similar_command(word: str, error: UnknownCommandError) -> str:
    """Return the question whether a similar command was meant; empty when none is similar."""
    names = [name for name in error.app or () if not name.startswith("-")]
    similar = difflib.get_close_matches(word, names, n=1)
    return f" Did you mean '{similar[0]}'?" if similar else ""


def _mistyped(error: CycloptsError) -> str | None:
    """Return the message about an option that does not exist; None when all of them do.

    Such an option is often the one that is missing.
    """
    if error.app is None:
        return None
    names = {name for each in error.app.assemble_argument_collection() for name in each.names}
    for word in error.root_input_tokens or ():
        name = word.partition("=")[0]
        if name.startswith("--") and name not in names:
            return f"No such option: {name}.{similar_option(name, names)}"
    return None


def _missing(*arguments: Argument) -> str:
    names = ", ".join("'" + "' / '".join(argument.names) + "'" for argument in arguments)
    kind = "option" if arguments[0].name.startswith("-") else "argument"
    return f"Missing {kind}{'s' if len(arguments) > 1 else ''} {names}."


def _also_missing(error: MissingArgumentError) -> list[Argument]:
    """Return the other required options that the words of a command line do not name."""
    if error.app is None or error.argument is None or not error.argument.name.startswith("-"):
        return []
    given = {word.partition("=")[0] for word in error.root_input_tokens or ()}
    return [
        each
        for each in error.app.assemble_argument_collection()
        if each.required
        and each.name.startswith("-")
        and each.names != error.argument.names
        and given.isdisjoint(each.names)
    ]


def _unavailable_device(error: BaseException, arguments: list[str]) -> BaseException | None:
    """Return why the device of an incomplete `profile` cannot be used; None when it can be.

    A user who has no such device needs no advice about options.
    """
    if (
        not isinstance(error, MissingArgumentError)
        or arguments[:1] != ["profile"]
        or "--host" in arguments
    ):
        return None
    if "--device" not in arguments[:-1]:
        return None
    name = arguments[arguments.index("--device") + 1]
    if name not in device_names():
        return None
    reason = get_device(name).unavailable_reason()
    return DeviceUnavailableError(f"Device {name!r} is unavailable: {reason}.") if reason else None


def _refused_value(error: CycloptsError, cause: ValidationError) -> str:
    """Return a message about the first value that is refused, with its flag."""
    first = cause.errors(include_url=False)[0]
    if not first["loc"] or error.argument is None:
        return explain(cause)
    options = [error.argument, *error.argument.children]
    (option,) = (each for each in options if each.field_info.name == first["loc"][0])
    if first["type"] == "missing":
        return _mistyped(error) or _missing(option)
    message = first["msg"].removeprefix("Value error, ")
    return f"Invalid value for '{option.name}': {message}. Got {first['input']!s:.80}."


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
