"""Run the program ``automoe``: its commands and their exit codes."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence

from cyclopts import App, CycloptsError, Group, Parameter

from automoe import __version__
from automoe.cli import (
    architectures,
    comparing,
    costing,
    devices,
    exporting,
    linting,
    log,
    pipeline,
    predicting,
    profiling,
    ranking,
    searching,
    training,
    translating,
)
from automoe.cli.exits import ExitCode, report
from automoe.cli.model_input_options import rejoin_braces

Commands = Mapping[str, Callable[..., ExitCode | None]]

_COMMANDS: Commands = {
    "devices": devices.list_devices,
    "doctor": devices.doctor,
    "space": architectures.show_space,
    "sample": architectures.sample,
    "cost": costing.show_cost,
    "export": exporting.export,
    "lint": linting.lint,
    "profile": profiling.profile,
    "compare": comparing.compare,
    "fit": predicting.fit,
    "predict": predicting.predict,
    "train": training.train,
    "finetune": training.finetune,
    "search": searching.search,
    "ranking": ranking.ranking,
    "evaluate": translating.evaluate,
    "translate": translating.translate,
    "run": pipeline.run,
    "report": pipeline.report,
}
_TRAIN = frozenset({"train", "finetune", "ranking", "run"})
_LOG_COMMANDS: Commands = {
    "show": log.show,
    "check": log.check,
    "merge": log.merge,
}

app = App(
    name="automoe",
    help="Hardware-aware search for sparse Transformers: profile, predict, search.",
    version=f"automoe {__version__}",
    help_flags="--help",
    version_flags="--version",
    group_parameters=Group("Options"),
    # The word after an option is its value, even if it begins with a hyphen. The last one counts.
    default_parameter=Parameter(
        negative=(),
        allow_leading_hyphen=True,
        allow_repeating=True,
        show_default=lambda value: None if value in (None, [], ()) or value is False else value,
    ),
    suppress_keyboard_interrupt=False,
)
_log = App(
    name="log",
    help="Show, check or merge latency logs.",
    sort_key=len(_COMMANDS),
)
for parent, commands in ((app, _COMMANDS), (_log, _LOG_COMMANDS)):
    for position, (name, command) in enumerate(commands.items()):
        parent.command(command, name=name, sort_key=position)
app.command(_log)
app.register_install_completion_command(help="Install completion for the current shell.")


@app.command(name="--show-completion")
def _show_completion() -> None:
    """Show completion for the current shell, to copy it or to change it."""
    print(app.generate_completion())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit code, see ``automoe.cli.exits``."""
    given = rejoin_braces(sys.argv[1:] if arguments is None else arguments)
    _choose_how_threads_wait(given[:1])
    try:
        return int(_run(given) or 0)
    except BrokenPipeError:  # the reader of stdout has seen enough, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.FAILURE)
    except (Exception, KeyboardInterrupt) as error:
        return report(error, given)


def _choose_how_threads_wait(command: Sequence[str]) -> None:
    """Set what the threads of torch read when torch is loaded, unless the user has chosen.

    Threads that fall asleep at once leave the cores to others, such as a worker that measures.
    Those of a training wait thousands of times in an update, mostly for less time than waking up
    takes. They look for work a little longer (about 0.15 ms). By default they do so for 15 ms,
    which makes an update ten times slower while other programs use the same cores.
    """
    if "OMP_WAIT_POLICY" in os.environ:
        return
    if _TRAIN.isdisjoint(command):
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    else:
        os.environ.setdefault("GOMP_SPINCOUNT", "3000")


def _run(given: list[str]) -> int | None:
    chain, apps, left = app.parse_commands(given)
    if apps[-1].default_command is None and not left:
        raise CycloptsError("Missing command.", command_chain=chain)
    code: int | None = app(
        given, exit_on_error=False, print_error=False, result_action="return_value"
    )
    return code
