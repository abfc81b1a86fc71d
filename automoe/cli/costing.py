"""Carry out ``automoe cost``: by formula for an architecture, by counting for a graph."""

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from automoe.architecture.architecture_files import read_architectures
from automoe.architecture.cost import cost
from automoe.cli.console import print_fields, print_json, print_table, say
from automoe.cli.model_input_options import ModelInputOptions
from automoe.cli.named_values import by_name
from automoe.cli.options import JsonOptions, argument, typed
from automoe.settings.search import MOST, Count

if TYPE_CHECKING:
    from profilers import GraphCosts

_WORKLOAD_SUFFIX = ".workload.json"
_READ_TO_TELL = 4096  # bytes of a file; of a graph some of them are 0, and of a text none is
_OF_ARCHITECTURE = ("--src-len", "--tgt-len", "--vocab-size")
_OF_GRAPH = ("--input-shape", "--input", "--input-file", "--dim")
_REFUSED = {
    "A graph": _OF_ARCHITECTURE,
    "A workload": (*_OF_ARCHITECTURE, *_OF_GRAPH),
    "An architecture": _OF_GRAPH,
}


class CostOptions(ModelInputOptions, JsonOptions):
    """The sizes that a file does not give.

    Attributes:
        src_len: Source tokens, for an architecture.
        tgt_len: Target tokens, for an architecture.
        vocab_size: Pieces of the vocabulary, for an architecture.
        dim: Size of a symbolic dimension, for a graph, such as name=30.
    """

    src_len: Count = 30
    tgt_len: Count = 30
    vocab_size: Count = 32768
    dim: tuple[str, ...] = ()


def show_cost(
    file: Annotated[
        Path,
        argument(
            "An architecture (JSON, JSON lines, HAT or AutoMoE YAML), a graph (.onnx) or a "
            "workload (.workload.json)."
        ),
    ],
    /,
    *,
    options: CostOptions = CostOptions(),
) -> None:
    """Count FLOPs, weights and memory of an architecture for a sentence, or of a graph for a run.

    The tokens of a sparse graph go to its experts evenly; a workload gives its own routing.
    """
    kind = _kind(file)
    refused = [flag for flag in _REFUSED[kind] if flag in typed(options)]
    if refused:
        raise ValueError(f"{kind} takes no {', '.join(refused)}. Got '{file}'.")
    if kind == "A graph":
        _show_graph(file, options)
    elif kind == "A workload":
        from profilers import costs_of_workload

        _show_counted(costs_of_workload(file), as_json=options.as_json)
    else:
        _show_architectures(file, options)


def _kind(file: Path) -> str:
    """Return the kind of a file, by its name. A file that is no text can only be a graph."""
    if file.suffix.lower() == ".onnx" or _is_binary(file):
        return "A graph"
    return "A workload" if file.name.endswith(_WORKLOAD_SUFFIX) else "An architecture"


def _is_binary(file: Path) -> bool:
    if not file.is_file():  # what comes through a pipe can be read only once
        return False
    with file.open("rb") as opened:
        beginning = opened.read(_READ_TO_TELL)
    is_utf_16 = beginning.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
    return b"\0" in beginning and not is_utf_16


def _size(text: str) -> tuple[str, int]:
    name, _, size = text.rpartition("=")
    if not name or not size.isdecimal():
        raise ValueError(f"'--dim' must read like name=30. Got '{text:.80}'.")
    if len(size) > len(str(MOST)) or int(size) > MOST:
        raise ValueError(f"'--dim' must give a size of at most {MOST}. Got '{text:.80}'.")
    return name, int(size)


def _show_graph(file: Path, options: CostOptions) -> None:
    """Show the costs of a graph, or of each point of a grid of shapes."""
    from profilers import costs_of_opened, open_onnx_workload
    from profilers.workload.declared_inputs import declared_inputs
    from profilers.workload.from_onnx import load_sound_onnx
    from profilers.workload.soundness import require_outputs
    from profilers.workload.sweep import sweep_of

    grids, values = options.grids(), options.values()
    dims = by_name("--dim", map(_size, options.dim))
    model = load_sound_onnx(file)
    require_outputs(model, file)
    points = sweep_of(grids, declared_inputs(model.graph)).points()
    counted = []
    for number, point in enumerate(points):
        opened = open_onnx_workload(
            file, dims=dims, shapes=point.shapes, values=values, model=model
        )
        for sentence in opened.sentences if number == 0 else ():
            say(sentence)
        counted.append((point.sizes, costs_of_opened(opened, file)))
    if len(counted) == 1:
        _show_counted(counted[0][1], as_json=options.as_json)
        return
    if options.as_json:
        print_json([{**sizes, **costs.to_dict()} for sizes, costs in counted])
    else:
        figures = ("flops", "touched_weight_bytes", "activation_bytes", "peak_memory_bytes")
        rows = [
            (*sizes.values(), *(getattr(costs, name) for name in figures))
            for sizes, costs in counted
        ]
        print_table((*points[0].sizes, *figures), rows)
    _say_more(counted[0][1])


def _show_counted(costs: "GraphCosts", *, as_json: bool) -> None:
    figures = costs.to_dict()
    if as_json:
        print_json(figures)
    else:
        operators = ", ".join(f"{n} {op}" for op, n in costs.operators.items())
        unknown = len(costs.unknown_nodes)
        del figures["folded_flops"]  # a sentence says more
        print_fields({**figures, "operators": operators or "none", "unknown_nodes": unknown})
    _say_more(costs)


def _say_more(costs: "GraphCosts") -> None:
    """Say what was folded, whether the figures are lower bounds, and what would help."""
    if costs.folded_flops:
        say(
            f"Not counted: {costs.folded_flops} FLOPs on weights alone. A runtime computes them "
            f"once, when it loads the graph."
        )
    unknown = costs.unknown_nodes
    if not unknown:
        return
    if any("no rule" in node for node in unknown):
        advice = "An operator without a rule counts as 0 FLOPs: add them by hand."
    elif any("computed from data" in node for node in unknown):
        advice = "Give --input for what it is computed from, or add its FLOPs by hand."
    elif all("no known size" in node for node in unknown):
        advice = "Elements without a known size count as 0 bytes."
    elif ", because " in unknown[0]:
        advice = "Put the data of the weight beside the graph, or save the model with it."
    elif "unknown" in unknown[0]:
        advice = "Give --input-shape, --input or --dim."
    else:
        advice = "Its FLOPs count as 0: add them by hand."
    say(
        f"The figures are lower bounds. Unknown nodes: {len(unknown)}, the first is {unknown[0]}. "
        f"{advice} --json lists them all."
    )


def _show_architectures(file: Path, options: CostOptions) -> None:
    count = partial(
        cost, src_len=options.src_len, tgt_len=options.tgt_len, vocab_size=options.vocab_size
    )
    rows: list[dict[str, Any]] = [
        {"id": each.id, **count(each).to_dict()} for each in read_architectures(file)
    ]
    if options.as_json:
        print_json(rows if file.suffix == ".jsonl" else rows[0])
        return
    for row in rows:
        print_fields(row)
