"""How options are declared: a group of them is a model, and its docstring is their help."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from automoe.architecture.space import SearchSpace

Positive = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Out = Annotated[Path, Parameter(name=("-o", "--out"))]


def argument(text: str) -> Parameter:
    """Return what describes a positional argument, which no unknown option can be taken for."""
    return Parameter(help=text, allow_leading_hyphen=False)


@Parameter(name="*")
class Options(BaseModel):
    """Options of a command, or a part of them that several commands share.

    A field is an option of its name. The text under "Attributes" is its help.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class JsonOptions(Options):
    """How a command prints what it has.

    Attributes:
        as_json: Print JSON instead of text.
    """

    as_json: Annotated[bool, Parameter(name="--json", group="Output")] = False


class SpaceOptions(Options):
    """What changes a search space.

    Attributes:
        max_experts: Most experts in a layer; the default is that of the space.
        fractional: Whether every expert has a width of its own.
    """

    max_experts: int | None = None
    fractional: Annotated[bool | None, Parameter(negative="--standard")] = None

    def load(self, name_or_file: str) -> SearchSpace:
        """Return a preset, or the space of a YAML file, with these experts.

        Raises:
            SpaceError: There is no such space, or it cannot have such experts.
        """
        return SearchSpace.load(
            name_or_file, max_experts=self.max_experts, fractional=self.fractional
        )


def typed(*groups: BaseModel) -> dict[str, Any]:
    """Return the options that the user gave, by their flags, with their values."""
    return {flag: value for flag, _, value in _options(*groups)}


def changed(*groups: BaseModel) -> dict[str, Any]:
    """Return those of the options that the user gave whose value is not the default one."""
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
