"""Reports of fits made up for tests."""

from typing import Any

from predictors import FitReport, ModelScore


def made_up_report(mape: float = 0.02, **changes: Any) -> FitReport:
    """A report of a fit, but for `changes`."""
    fields: dict[str, Any] = {
        "winner": "roofline",
        "n_rows": 40,
        "n_excluded": 0,
        "n_groups": None,
        "targets": ("latency_ms",),
        "features": ("feature_layers",),
        "roles": {"feature_layers": "feature", "latency_ms": "target"},
        "physics": None,
        "models": (ModelScore("roofline", mape, 0.9, 1.0, 0.99, 0.95),),
        "coverage": (),
        "noise_floor": None,
        "learning_curve": None,
        "effects": (),
        "quality": {},
        "warnings": (),
    }
    return FitReport(**{**fields, **changes})
