"""The result of a search as JSON: what was promised, predicted and measured."""

from collections.abc import Mapping
from typing import Any

from automoe import __version__
from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.architecture.workload import TranslationWorkload
from automoe.latency.budget import Feasibility
from automoe.latency.model import LatencyModel
from automoe.search.budget_search import Candidate, SearchOutcome
from automoe.search.certify.bench import Measured
from automoe.search.fitness.evaluator import Evaluator
from automoe.search.settings import SearchSettings

SCHEMA_VERSION = 1


def describe(
    architecture: Architecture,
    workload: TranslationWorkload,
    *,
    bounds: dict[str, float],
    measured: Measured | None,
) -> dict[str, Any]:
    """An architecture with its costs and its latency; what was not measured is null.

    Args:
        architecture: The architecture.
        workload: The sentence that costs and latencies are of.
        bounds: ``predicted_ms``, ``lower_ms`` and ``upper_ms``.
        measured: What the device said.
    """
    figures = workload.cost(architecture).to_dict()
    return {
        "architecture_id": architecture.id,
        "architecture": architecture.to_dict(),
        "latency_ms": {
            "predicted": bounds["predicted_ms"],
            "lower": bounds["lower_ms"],
            "upper": bounds["upper_ms"],
            "measured": measured.latency_ms if measured else None,
            "ci_low": measured.ci_low_ms if measured else None,
            "ci_high": measured.ci_high_ms if measured else None,
            "flags": list(measured.flags) if measured else [],
        },
        **{
            name: figures[name] for name in ("params", "active_params", "embedding_params", "flops")
        },
    }


def feasibility_of(
    feasibility: Feasibility, latency: LatencyModel, confidence: float
) -> dict[str, Any]:
    """The fastest, the typical and the slowest architecture of a space, with their bounds.

    Args:
        feasibility: Of the space.
        latency: Predicts them.
        confidence: Of each bound by itself; upper bounds are those that a search keeps.
    """
    shown = {
        "smallest": feasibility.fastest,
        "median": feasibility.typical,
        "largest": feasibility.slowest,
    }
    bounds = latency.predict(list(shown.values()), confidence=confidence, searched=True)
    return {
        name: {"architecture_id": architecture.id, **row}
        for (name, architecture), row in zip(shown.items(), bounds.to_dict("records"), strict=True)
    }


def front_of(
    outcome: SearchOutcome,
    *,
    space: SearchSpace,
    evaluator: Evaluator,
    budget_ms: float,
    measured: Mapping[Architecture, Measured | None] | None = None,
) -> dict[str, Any]:
    """All trade-offs found, and the area that they dominate.

    Its reference point is the fitness of the smallest architecture and the budget, the same for
    every search of a space under a budget, so that areas compare.

    Args:
        outcome: Of a search without halving.
        space: That was searched.
        evaluator: Gives the smallest architecture its fitness, if the search did not.
        budget_ms: Of the search.
        measured: What the device said of some of them.

    Raises:
        ValueError: The fitness is not a finite number.
    """
    smallest = space.smallest()
    known = {candidate.architecture: candidate.loss for candidate in outcome.candidates}
    worst = known[smallest] if smallest in known else evaluator([smallest])[smallest]
    assert worst is not None  # only halving leaves one out
    said = {a: found.latency_ms for a, found in (measured or {}).items() if found is not None}
    return {
        "front": [
            {
                "architecture_id": candidate.architecture.id,
                "architecture": candidate.architecture.to_dict(),
                "fitness": candidate.loss,
                "predicted_ms": candidate.predicted_ms,
                "upper_ms": candidate.upper_ms,
                "measured_ms": said.get(candidate.architecture),
            }
            for candidate in outcome.front
        ],
        "hypervolume": {
            "value": outcome.hypervolume((worst, budget_ms)),
            "reference": {"fitness": worst, "upper_ms": budget_ms},
        },
    }


def result_of(
    winner: Candidate,
    settings: SearchSettings,
    *,
    space: SearchSpace,
    workload: TranslationWorkload,
    certified: bool,
    reason: str,
    measured: Measured | None,
    device: dict[str, Any] | None,
    objective: str = "loss",
) -> dict[str, Any]:
    """The content of the result file.

    Args:
        winner: The architecture returned.
        settings: Of the search.
        space: That was searched.
        workload: The sentence that was timed.
        certified: Whether the device confirmed the budget.
        reason: Why, or why not.
        measured: What the device said of the winner.
        device: The device's description; None when nothing was measured.
        objective: What the winner's fitness is.
    """
    bounds = {
        "predicted_ms": winner.predicted_ms,
        "lower_ms": winner.lower_ms,
        "upper_ms": winner.upper_ms,
    }
    return {
        "schema_version": SCHEMA_VERSION,
        "automoe_version": __version__,
        "budget_ms": settings.budget_ms,
        "confidence": settings.confidence,
        "certified": certified,
        "reason": reason,
        "device": device,
        "workload": str(workload),
        "space": {
            "name": space.name,
            "max_experts": space.max_experts,
            "fractional": space.fractional,
            "count": space.count,
        },
        "seed": settings.seed,
        **describe(winner.architecture, workload, bounds=bounds, measured=measured),
        "objective": objective,
        "fitness": winner.loss,
        "valid_loss": winner.loss if objective == "loss" else None,
    }
