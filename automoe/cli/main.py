"""Run the program ``automoe``: its commands and their exit codes."""

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from cyclopts import App, Group, Parameter

from automoe import __version__
from automoe.cli.shell_braces import rejoin_braces
from automoe.cli.tour import FIRST_STEPS, LOG_COMMANDS, TOUR, Command

_EXAMPLE_WIDTH = 72
_TRAIN = frozenset({"train", "finetune", "ranking", "run"})
_EXAMPLES = {
    **{name: each.examples for commands in TOUR.values() for name, each in commands.items()},
    **{f"log {name}": each.examples for name, each in LOG_COMMANDS.items()},
}


class Program(App):
    """The program, whose help pages end with examples."""

    def help_print(
        self,
        tokens: Annotated[str | Iterable[str] | None, Parameter(show=False)] = None,
        *,
        console: Annotated[Any, Parameter(parse=False)] = None,
    ) -> None:
        """Print the help page of a command and its examples."""
        chain, apps, _ = self.parse_commands(tokens)
        if apps[-1].default_command is not None:
            apps[-1].help = None  # its page has all of its docstring, the list only a summary
        self.help_formatter = _required_first()
        super().help_print(tokens, console=console)
        name = " ".join(word for word in chain if not word.startswith("-"))
        print(f"\n{'Examples' if name in _EXAMPLES else 'First steps'}:")
        for example in _EXAMPLES.get(name, FIRST_STEPS):
            print("  " + " \\\n      ".join(_lines_of(example)))


app = Program(
    name="automoe",
    help="Find the best sparse Transformer that your device runs within a latency budget.",
    version=f"automoe {__version__}",
    help_flags=("--help", "-h"),
    version_flags="--version",
    group_commands=Group("This program", sort_key=len(TOUR)),
    group_arguments=Group("Arguments", sort_key=0),
    group_parameters=Group("Options", sort_key=1),
    # The word after an option is its value, even if it begins with a hyphen. The last one counts.
    default_parameter=Parameter(
        negative=(),
        allow_leading_hyphen=True,
        allow_repeating=True,
        show_default=lambda value: None if value in (None, [], ()) or value is False else value,
    ),
    suppress_keyboard_interrupt=False,
)
_log = App(name="log", help=TOUR["2. Measure latencies"]["log"].summary)


def _declare(parent: App, commands: Mapping[str, Command], group: Group) -> None:
    for place, (name, each) in enumerate(commands.items()):
        if name == "log":
            _log.group, _log.sort_key = (group,), place
            parent.command(_log)
            continue
        function = f"automoe.cli.{each.function}"
        parent.command(function, name=name, help=each.summary, sort_key=place, group=group)


for place, (title, commands) in enumerate(TOUR.items()):
    _declare(app, commands, Group(title, sort_key=place))
_declare(_log, LOG_COMMANDS, Group("Commands"))
app.register_install_completion_command(help="Install completion for the current shell.")


@app.command(name="--show-completion")
def _show_completion() -> None:
    """Show completion for the current shell, to copy it or to change it."""
    print(app.generate_completion())


def _required_first() -> Any:
    """Return the form of a help page, where what a command needs comes first in each group."""
    from cyclopts.help import DefaultFormatter  # it is needed for help alone

    class RequiredFirst(DefaultFormatter):
        def __call__(self, console: Any, options: Any, panel: Any) -> None:
            panel.entries.sort(key=lambda entry: not entry.required)
            super().__call__(console, options, panel)

    return RequiredFirst()


def _lines_of(example: str) -> list[str]:
    """Return a command line in lines of a narrow terminal, each option beside its value."""
    lines = [""]
    for part in re.split(r" (?=-|<)", example):
        if len(lines[-1]) + len(part) > _EXAMPLE_WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {part}".strip()
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit code, see ``automoe.cli.exits``."""
    given = rejoin_braces(sys.argv[1:] if arguments is None else arguments)
    _choose_how_threads_wait(given[:1])
    try:
        return int(_run(given) or 0)
    except BrokenPipeError:  # the reader of stdout has seen enough, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (Exception, KeyboardInterrupt) as error:
        from automoe.cli.exits import report  # pydantic takes a moment to import

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
    _, apps, left = app.parse_commands(given)
    if apps[-1].default_command is None and not left:
        app.help_print(given)
        return 2  # a script that forgot the command fails
    code: int | None = app(
        given, exit_on_error=False, print_error=False, result_action="return_value"
    )
    return code
