"""Declare options: a group of them is a model, and its docstring is their help."""

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

from cyclopts import Group, Parameter
from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from automoe.cli.metavars import name_values
from automoe.settings.groups import SpaceSettings

Natural = Annotated[int, Field(ge=0, lt=2**63)]
# The groups of options on a help page, in their order.
_TITLES = (
    *("Inputs", "What is measured", "The device", "How it is measured", "The timed sentence"),
    *("The inputs of a model", "Columns of the log", "The text", "The experts", "The search"),
    *("Other options", "Search settings", "Training settings", "Output"),
)
GROUPS = {title: Group(title, sort_key=place) for place, title in enumerate(_TITLES, start=2)}
OUTPUT = Parameter(group=GROUPS["Output"])
# What stands for a value on a help page, where the type says less.
FILE, FOLDER = Parameter(metavar="FILE"), Parameter(metavar="FOLDER")
SHARE = Parameter(metavar="SHARE")
_OUT = Parameter(name=("-o", "--out"))
Out = Annotated[Path, _OUT, FILE, OUTPUT]
OutFolder = Annotated[Path, _OUT, FOLDER, OUTPUT]


def argument(text: str) -> Parameter:
    """Describe a positional argument. An unknown option is not taken for its value."""
    return Parameter(help=text, allow_leading_hyphen=False)


T = TypeVar("T", bound=BaseModel)


@Parameter(name="*")
class Options(BaseModel):
    """The options of a command, or a group of them that several commands share.

    A field is an option of its name. The text under "Attributes" is its help.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Name what stands for the value of each option on a help page."""
        name_values(cls)


def grouped(title: str) -> Callable[[type[T]], type[T]]:
    """Decorate options: those that have no group yet get this group of the help page."""

    def decorate(options: type[T]) -> type[T]:
        for field in options.model_fields.values():
            declared = [each for each in field.metadata if isinstance(each, Parameter)]
            if not any(each.group for each in declared):
                field.metadata = [*field.metadata, Parameter(group=GROUPS[title])]
        return options

    return decorate


@grouped("Output")
class JsonOptions(Options):
    """The form of a command's output.

    Attributes:
        as_json: Print JSON instead of text.
    """

    as_json: Annotated[bool, Parameter(name="--json")] = False


@grouped("The experts")
class SpaceOptions(Options, SpaceSettings):
    """The experts of a search space."""

    max_experts: int | None = None
    fractional: Annotated[bool | None, Parameter(negative="--standard")] = None


def typed(*groups: BaseModel) -> dict[str, Any]:
    """Return the options that the user gave, by their flags, with their values."""
    return {flag: value for flag, _, value in _options(*groups)}


def command_line(command: str, argument: Path, *groups: BaseModel) -> str:
    """Return a command of ``automoe`` as the user can type it again."""
    words = ["automoe", *command.split(), str(argument)]
    for flag, value in typed(*groups).items():
        for each in value if isinstance(value, list | tuple) else [value]:
            words += [flag] if each is True else [flag, str(each)]
    return shlex.join(words)


def changed(*groups: BaseModel) -> dict[str, Any]:
    """Return the options that the user gave with other values than the default ones."""
    return {flag: value for flag, default, value in _options(*groups) if value != default}


def _options(*groups: BaseModel) -> Iterator[tuple[str, Any, Any]]:
    for group in groups:
        for name, field in type(group).model_fields.items():
            if name in group.model_fields_set:
                yield _flag(name, field), field.default, getattr(group, name)


def _flag(name: str, field: FieldInfo) -> str:
    declared = [each for each in field.metadata if isinstance(each, Parameter)]
    flags = [flag for each in declared for flag in each.name or ()]
    return flags[-1] if flags else f"--{name.replace('_', '-')}"
