"""``automoe space`` and ``automoe sample``; ``automoe cost`` is in ``costing``."""

from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer

from automoe.architecture.architecture import Architecture
from automoe.architecture.files import write_architectures
from automoe.architecture.space import SearchSpace
from automoe.architecture.workload import TranslationWorkload
from automoe.cli import costing
from automoe.cli.console import print_fields, print_json, say

MaxExperts = Annotated[int | None, typer.Option(help="Most experts in a layer; default: dense.")]
Fractional = Annotated[
    bool | None, typer.Option("--fractional/--standard", help="Experts of their own width.")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of lines.")]

_DRAWS_PER_ARCHITECTURE = 50  # before a space counts as exhausted


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("space")(show_space)
    app.command("sample")(sample)
    costing.register(app)


def show_space(
    name_or_file: Annotated[str, typer.Argument(help="A preset or a YAML file.")],
    max_experts: MaxExperts = None,
    fractional: Fractional = None,
    as_json: AsJson = False,
) -> None:
    """Dimensions, exact count, smallest and largest cost of a search space."""
    space = SearchSpace.load(name_or_file, max_experts=max_experts, fractional=fractional)
    if as_json:
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
            "count": f"{space.count:.4g}",
            **{f"encoder.{k}": list(v) for k, v in space.encoder.model_dump().items()},
            **{f"decoder.{k}": list(v) for k, v in space.decoder.model_dump().items()},
            "smallest": _in_words(space.smallest(), space),
            "largest": _in_words(space.largest(), space),
        }
    )


def sample(
    space: Annotated[str, typer.Option("--space", help="A preset or a YAML file.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="One JSON object per line.")],
    n: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 1,
    seed: Annotated[int, typer.Option(help="The same seed, the same architectures.")] = 0,
    max_experts: MaxExperts = None,
    fractional: Fractional = None,
) -> None:
    """Distinct random architectures."""
    source = SearchSpace.load(space, max_experts=max_experts, fractional=fractional)
    found = draw_distinct(source, n, seed)
    if len(found) < n:
        say(f"'{source.name}' gave only {len(found)} distinct architectures of {n}.")
    write_architectures(out, found)
    print(f"{out}: {len(found)} architectures")


def draw_distinct(space: SearchSpace, n: int, seed: int) -> list[Architecture]:
    """Up to ``n`` distinct random architectures; fewer when the space runs out of them."""
    rng = Random(seed)
    found: dict[Architecture, None] = {}
    for _ in range(_DRAWS_PER_ARCHITECTURE * n):
        if len(found) == n:
            break
        found[space.sample(rng)] = None
    return list(found)


def _costs(architecture: Architecture, space: SearchSpace) -> dict[str, Any]:
    return {
        "id": architecture.id,
        **TranslationWorkload.of(space).cost(architecture).to_dict(),
    }


def _in_words(architecture: Architecture, space: SearchSpace) -> str:
    figures = _costs(architecture, space)
    return (
        f"{figures['id']}: {figures['params'] / 1e6:.2f} M parameters, "
        f"{figures['flops'] / 1e9:.3f} GFLOPs"
    )
