"""The cost of a change of an architecture in milliseconds, by a latency predictor."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean

from automoe.architecture.architecture import Architecture, ArchitectureError
from automoe.architecture.workload import WorkloadTextError
from automoe.latency.model import LatencyModel
from predictors import Predictor, TableError, read_table

_MOST = 50
_COLUMN = "architecture"

Change = Callable[[Architecture], Architecture]


def architecture_effects(predictor: Predictor, log: Path) -> dict[str, float]:
    """Mean change of the predicted latency of a log's architectures, in ms, by the change.

    One more expert in the last layer, or one more layer like the last, on either side. Empty for
    a log without architectures, or a predictor that needs other columns than theirs.
    """
    frame = read_table(log)
    if _COLUMN not in frame:
        return {}
    try:
        model = LatencyModel.of(predictor)
        some = [Architecture.from_json(str(text)) for text in frame[_COLUMN][:_MOST]]
    except (WorkloadTextError, ArchitectureError):
        return {}
    changes = {}
    for side in ("encoder", "decoder"):
        layers = [layer for a in some for layer in getattr(a, side).layers]
        widest = max(width for layer in layers for width in layer.experts)
        changes[f"one more {widest}-wide {side} expert"] = _more_expert(side, widest)
        changes[f"one more {side} layer like the last"] = _more_layer(side)
    try:
        before = _predicted(model, some)
    except TableError:  # it was fitted to columns that architectures do not have
        return {}
    return {
        name: mean(
            after - old
            for after, old in zip(_predicted(model, list(map(change, some))), before, strict=True)
        )
        for name, change in changes.items()
    }


def _predicted(model: LatencyModel, some: Sequence[Architecture]) -> list[float]:
    return [float(x) for x in model.predict(some, confidence=0.5)["predicted_ms"]]


def _more_expert(side: str, width: int) -> Change:
    def change(architecture: Architecture) -> Architecture:
        stack = getattr(architecture, side)
        last = replace(stack.layers[-1], experts=(*stack.layers[-1].experts, width))
        return replace(architecture, **{side: replace(stack, layers=(*stack.layers[:-1], last))})

    return change


def _more_layer(side: str) -> Change:
    def change(architecture: Architecture) -> Architecture:
        stack = getattr(architecture, side)
        return replace(
            architecture, **{side: replace(stack, layers=(*stack.layers, stack.layers[-1]))}
        )

    return change
