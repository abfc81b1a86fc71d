"""Describe the result of a search as JSON: promise, predictions and measurements."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from automoe import __version__
from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.search.budget_search import Candidate, SearchOutcome
from automoe.search.certify.measuring import Measured
from automoe.search.certify.verification import Verification
from automoe.search.fitness.evaluator import Evaluator
from automoe.settings.search import SearchSettings
from devices.yaml_json import parse_json

SCHEMA_VERSION = 1


def describe(
    architecture: Architecture,
    workload: TranslationWorkload,
    *,
    bounds: dict[str, float],
    measured: Measured | None,
) -> dict[str, Any]:
    """Describe an architecture with its costs and latency. Values not measured are null.

    Args:
        architecture: The architecture.
        workload: The sentence of the costs and latencies.
        bounds: The values of ``predicted_ms``, ``lower_ms`` and ``upper_ms``.
        measured: The measured latency; None when it was not measured.
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


def require_no_certificate(out: Path) -> None:
    """Refuse to replace a certified result by a prediction.

    Raises:
        ValueError: The file holds a certified result.
    """
    try:
        is_certified = parse_json(out.read_bytes())["certified"]
    except (OSError, KeyError, TypeError, ValueError):
        return
    if is_certified is True:
        raise ValueError(
            f"'{out}' holds a certified result, and without a device this search would replace it "
            "by a prediction. Name a device, choose another output, or delete it."
        )


def front_of(
    outcome: SearchOutcome,
    *,
    space: SearchSpace,
    evaluator: Evaluator,
    budget_ms: float,
    measured: Mapping[Architecture, Measured | None] | None = None,
) -> dict[str, Any]:
    """Describe the Pareto front of a search, and its hypervolume.

    The reference point is the fitness of the smallest architecture and the budget. It is the same
    for every search of a space under a budget, so that their hypervolumes can be compared.

    Args:
        outcome: The outcome of a search without halving.
        space: The space that was searched.
        evaluator: The function that gives the smallest architecture its fitness, if the search
            did not.
        budget_ms: The budget of the search.
        measured: The measured latencies of some architectures.

    Raises:
        ValueError: The fitness is not a finite number.
    """
    smallest = space.smallest()
    known = {candidate.architecture: candidate.loss for candidate in outcome.candidates}
    worst = known[smallest] if smallest in known else evaluator([smallest])[smallest]
    assert worst is not None  # only halving gives None
    return {
        "front": [_point(candidate, measured or {}) for candidate in outcome.front],
        "hypervolume": {
            "value": outcome.hypervolume((worst, budget_ms)),
            "reference": {"fitness": worst, "upper_ms": budget_ms},
        },
    }


def _point(
    candidate: Candidate, measured: Mapping[Architecture, Measured | None]
) -> dict[str, Any]:
    latency = measured.get(candidate.architecture)
    return {
        "architecture_id": candidate.architecture.id,
        "architecture": candidate.architecture.to_dict(),
        "fitness": candidate.loss,
        "predicted_ms": candidate.predicted_ms,
        "upper_ms": candidate.upper_ms,
        "measured_ms": None if latency is None else latency.latency_ms,
    }


def result_of(
    verification: Verification,
    settings: SearchSettings,
    *,
    space: SearchSpace,
    workload: TranslationWorkload,
    device: dict[str, Any] | None,
    objective: str = "loss",
) -> dict[str, Any]:
    """Return the content of the result file.

    Args:
        verification: The winner and its measurements.
        settings: The settings of the search.
        space: The space that was searched.
        workload: The sentence that was timed.
        device: The description of the device; None when nothing was measured.
        objective: The name of the objective.
    """
    winner = verification.winner
    bounds = {name: getattr(winner, name) for name in ("predicted_ms", "lower_ms", "upper_ms")}
    measured = verification.measured.get(winner.architecture)
    return {
        "schema_version": SCHEMA_VERSION,
        "automoe_version": __version__,
        "budget_ms": settings.budget_ms,
        "confidence": settings.confidence,
        "certified": verification.certified,
        "reason": verification.reason,
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
