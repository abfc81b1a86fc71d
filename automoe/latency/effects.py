"""This module predicts how many milliseconds a change of an architecture costs."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import mean

from automoe.architecture.architecture import Architecture, ArchitectureError
from automoe.architecture.translation_workload import WorkloadTextError
from automoe.latency.model import LatencyModel
from predictors import Predictor, TableError
from profilers import read_any_log

_MOST = 50
_COLUMN = "architecture"

Change = Callable[[Architecture], Architecture]


def architecture_effects(predictor: Predictor, log: Path) -> dict[str, float]:
    """Return the mean change of the predicted latency in ms, by the change's description.

    A change adds an expert to the last layer of a stack, or a layer like the last one. The mean is
    over those of the first architectures of the log whose changed form lies within the log: a log
    of dense models says nothing about a second expert. The result is empty when the log has none,
    or when the predictor needs columns that architectures do not have.
    """
    table = read_any_log(log, held=())
    if _COLUMN not in table.columns:
        return {}
    texts = table.rows.take(range(min(_MOST, len(table.rows)))).texts(_COLUMN)
    try:
        model = LatencyModel.of(predictor)
        architectures = list(map(Architecture.from_json, texts))
        before = _predicted(model, architectures)
    except (WorkloadTextError, ArchitectureError, TableError):
        return {}
    changes: dict[str, Change] = {}
    for name in ("encoder", "decoder"):
        layers = [layer for a in architectures for layer in getattr(a, name).layers]
        widest = max(width for layer in layers for width in layer.experts)
        changes[f"one more {widest}-wide {name} expert"] = partial(_more_expert, name, widest)
        changes[f"one more {name} layer like the last"] = partial(_more_layer, name)
    effects: dict[str, float] = {}
    for name, change in changes.items():
        changed = list(map(change, architectures))
        is_outside = predictor.extrapolates(model.table(changed))
        pairs = zip(_predicted(model, changed), before, is_outside, strict=True)
        inside = [after - old for after, old, is_far in pairs if not is_far]
        effects |= {name: mean(inside)} if inside else {}
    return effects


def _predicted(model: LatencyModel, architectures: Sequence[Architecture]) -> list[float]:
    return [float(x) for x in model.predict(architectures, confidence=0.5)["predicted_ms"]]


def _more_expert(name: str, width: int, architecture: Architecture) -> Architecture:
    stack = getattr(architecture, name)
    last = replace(stack.layers[-1], experts=(*stack.layers[-1].experts, width))
    return replace(architecture, **{name: replace(stack, layers=(*stack.layers[:-1], last))})


def _more_layer(name: str, architecture: Architecture) -> Architecture:
    stack = getattr(architecture, name)
    return replace(architecture, **{name: replace(stack, layers=(*stack.layers, stack.layers[-1]))})
