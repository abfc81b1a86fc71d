"""``automoe cost``: of an architecture in closed form, of a graph or a workload by counting."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from automoe.architecture.cost import cost
from automoe.architecture.files import read_architectures
from automoe.cli.console import print_fields, print_json, say
from automoe.cli.input_shape import parse_input_shape

if TYPE_CHECKING:
    from profilers import GraphCosts

_SENTENCE = {"src_len": 30, "tgt_len": 30, "vocab_size": 32768}
_WORKLOAD_SUFFIX = ".workload.json"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("cost")(show_cost)


def show_cost(
    file: Annotated[
        Path,
        typer.Argument(
            help="An architecture (JSON, JSON lines, HAT or AutoMoE YAML), a graph (.onnx) or a "
            "workload (.workload.json)."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of lines.")] = False,
    src_len: Annotated[
        int | None, typer.Option(min=1, help="Of an architecture: source tokens; default: 30.")
    ] = None,
    tgt_len: Annotated[
        int | None, typer.Option(min=1, help="Of an architecture: target tokens; default: 30.")
    ] = None,
    vocab_size: Annotated[
        int | None,
        typer.Option(min=1, help="Of an architecture: rows of the table; default: 32768."),
    ] = None,
    input_shape: Annotated[
        list[str] | None, typer.Option("--input-shape", help="Of a graph: name=1x30.")
    ] = None,
    dim: Annotated[
        list[str] | None, typer.Option("--dim", help="Of a graph: a symbolic dimension, name=30.")
    ] = None,
) -> None:
    """FLOPs, weights and memory: of an architecture for one sentence, of a graph for one run.

    A sparse graph's tokens go to its experts evenly; a workload says itself where they go.
    """
    sentence = {"src_len": src_len, "tgt_len": tgt_len, "vocab_size": vocab_size}
    sizes = {"--input-shape": input_shape, "--dim": dim}
    flags = {f"--{name.replace('_', '-')}": value for name, value in sentence.items()}
    if file.suffix == ".onnx":
        _refuse(flags, file, "a graph")
        _show_counted(_graph_costs(file, input_shape or [], dim or []), as_json=as_json)
    elif file.name.endswith(_WORKLOAD_SUFFIX):
        _refuse({**flags, **sizes}, file, "a workload")
        from profilers import costs_of_workload

        _show_counted(costs_of_workload(file), as_json=as_json)
    else:
        _refuse(sizes, file, "an architecture")
        _show_architectures(file, sentence, as_json=as_json)


def _refuse(flags: Mapping[str, object], file: Path, kind: str) -> None:
    given = [flag for flag, value in flags.items() if value]
    if given:
        raise ValueError(f"{kind.capitalize()} takes no {', '.join(given)}. Got '{file}'.")


def _graph_costs(file: Path, shapes: list[str], dims: list[str]) -> "GraphCosts":
    from profilers import costs_of_graph

    return costs_of_graph(
        file, shapes=dict(map(parse_input_shape, shapes)), dims=dict(map(_size, dims))
    )


def _size(text: str) -> tuple[str, int]:
    name, _, size = text.rpartition("=")
    if not name or not size.isdigit():
        raise ValueError(f"'--dim' must read like name=30. Got '{text}'.")
    return name, int(size)


def _show_counted(costs: "GraphCosts", *, as_json: bool) -> None:
    figures = costs.to_dict()
    if as_json:
        print_json(figures)
    else:
        operators = ", ".join(f"{n} {op}" for op, n in costs.operators.items())
        unknown = len(costs.unknown_nodes)
        print_fields({**figures, "operators": operators or "none", "unknown_nodes": unknown})
    if costs.unknown_nodes:
        say(
            f"The figures are lower bounds. Unknown nodes: {len(costs.unknown_nodes)}, the first "
            f"is {costs.unknown_nodes[0]}. Give --input-shape or --dim; --json lists them all."
        )


def _show_architectures(file: Path, sentence: Mapping[str, int | None], *, as_json: bool) -> None:
    sizes = {name: sentence[name] or default for name, default in _SENTENCE.items()}
    count = partial(
        cost,
        src_len=sizes["src_len"],
        tgt_len=sizes["tgt_len"],
        vocab_size=sizes["vocab_size"],
    )
    rows: list[dict[str, Any]] = [
        {"id": each.id, **count(each).to_dict()} for each in read_architectures(file)
    ]
    if as_json:
        print_json(rows if file.suffix == ".jsonl" else rows[0])
        return
    for row in rows:
        print_fields(row)
