"""The result of a search as JSON: what was promised, predicted and measured."""

import json
from pathlib import Path
from typing import Any

from automoe import __version__
from automoe.architecture import Architecture
from automoe.budget import Feasibility
from automoe.latency_model import LatencyModel
from automoe.search.bench import Measured
from automoe.search.budget_search import Candidate, SearchOutcome
from automoe.search.settings import SearchSettings
from automoe.space import SearchSpace
from automoe.workload import TranslationWorkload

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


def front_of(outcome: SearchOutcome) -> dict[str, Any]:
    """All trade-offs found, and the area that they dominate.

    Its reference point is the largest loss that was evaluated and the largest upper bound.
    """
    reference = tuple(
        max(getattr(candidate, name) for candidate in outcome.candidates)
        for name in ("loss", "upper_ms")
    )
    return {
        "front": [
            {
                "architecture_id": candidate.architecture.id,
                "architecture": candidate.architecture.to_dict(),
                "valid_loss": candidate.loss,
                "predicted_ms": candidate.predicted_ms,
                "upper_ms": candidate.upper_ms,
            }
            for candidate in outcome.front
        ],
        "hypervolume": {
            "value": outcome.hypervolume((reference[0], reference[1])),
            "reference": {"valid_loss": reference[0], "upper_ms": reference[1]},
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
        "valid_loss": winner.loss,
    }


def write_result(path: Path, content: object) -> None:
    """Write JSON; replace the file at once or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(path)
