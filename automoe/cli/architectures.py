"""Carry out ``automoe space`` and ``automoe sample``."""

from typing import Annotated, Any

from cyclopts import Parameter

from automoe.architecture.architecture import Architecture
from automoe.architecture.architecture_files import write_architectures
from automoe.architecture.sampling import draw_distinct
from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.cli.completing import SPACE
from automoe.cli.console import print_fields, print_json, say
from automoe.cli.options import JsonOptions, Out, SpaceOptions, argument, grouped
from automoe.settings.search import Count
from devices.rounding import counted


class ShownSpaceOptions(SpaceOptions, JsonOptions):
    """The experts of the space, and the form of the output."""


@grouped("Inputs")
class SampleOptions(SpaceOptions, JsonOptions):
    """The architectures to draw, and their file.

    Attributes:
        space: Preset or YAML file.
        out: File with one architecture on each line, as JSON.
        n: Number of architectures.
        seed: Seed of the draws; the same seed gives the same architectures.
    """

    space: Annotated[str, SPACE]
    out: Out
    n: Annotated[Count, Parameter(name="-n")] = 1
    seed: int = 0


def show_space(
    name_or_file: Annotated[str, argument("A preset or a YAML file."), SPACE],
    /,
    *,
    options: ShownSpaceOptions = ShownSpaceOptions(),
) -> None:
    """Show the dimensions, the exact count and the smallest and largest cost of a search space."""
    space = options.load(name_or_file)
    if options.as_json:
        print_json(
            {
                "name": space.name,
                "max_experts": space.max_experts,
                "fractional": space.fractional,
                "count": space.count,
                "dimensions": space.model_dump(
                    mode="json", exclude={"name", "max_experts", "fractional"}
                ),
                "smallest": _costs(space.smallest(), space),
                "largest": _costs(space.largest(), space),
            }
        )
        return
    print_fields(
        {
            "name": space.name,
            "experts": f"up to {space.max_experts}, "
            f"{'each of its own width' if space.fractional else 'of one width per layer'}",
            "count": _in_short(space.count),
            **{f"encoder.{k}": v for k, v in space.encoder.model_dump(mode="json").items()},
            **{f"decoder.{k}": v for k, v in space.decoder.model_dump(mode="json").items()},
            "smallest": _in_words(space.smallest(), space),
            "largest": _in_words(space.largest(), space),
        }
    )


def sample(*, options: SampleOptions) -> None:
    """Draw distinct random architectures from a search space."""
    space = options.load(options.space)
    drawn = draw_distinct(space, options.n, options.seed)
    if len(drawn) < options.n:
        say(f"'{space.name}' gave only {len(drawn)} distinct architectures of {options.n}.")
    write_architectures(options.out, drawn)
    if options.as_json:
        print_json({"out": str(options.out), "n": len(drawn), "ids": [a.id for a in drawn]})
    else:
        print(f"{options.out}: {counted(len(drawn), 'architecture')}")


def _costs(architecture: Architecture, space: SearchSpace) -> dict[str, Any]:
    return {
        "id": architecture.id,
        **TranslationWorkload.of(space).cost(architecture).to_dict(),
    }


def _in_short(count: int) -> str:
    """Return a count with four digits, or its power of ten when no float is as large."""
    try:
        return f"{count:.4g}"
    except OverflowError:
        return f"about 10^{len(str(count)) - 1}"


def _in_words(architecture: Architecture, space: SearchSpace) -> str:
    figures = _costs(architecture, space)
    return (
        f"{figures['id']}: {figures['params'] / 1e6:.2f} M parameters, "
        f"{figures['flops'] / 1e9:.3f} GFLOPs"
    )
