"""This module makes the page of a fit, for those who never search."""

from automoe.report.figures import fit_figures
from automoe.report.templates import filled, marked
from predictors import Predictor


def render_fit(predictor: Predictor, *, log: str, command: str) -> str:
    """Return the page of a fit as HTML that loads no other file.

    Args:
        predictor: The predictor that was fitted.
        log: The name of the log.
        command: The command that makes this page again.
    """
    report = predictor.report
    by_role: dict[str, list[str]] = {}
    for column, role in report.roles.items():
        by_role.setdefault(role, []).append(column)
    provenance = [
        ("log", log),
        ("latency", " + ".join(report.targets)),
        *((f"columns: {role}", ", ".join(names)) for role, names in by_role.items()),
        *((f"left out: {name}", reason) for name, reason in report.left_out.items()),
        *((name.replace("_", " "), value) for name, value in predictor.conditions.items()),
    ]
    return filled(
        "fit.html.j2",
        title=f"Latency predictor of {log}",
        fit=report,
        notes=(*report.warnings, *report.conversions),
        shortage=predictor.shortage(),
        figures=marked(fit_figures(predictor)),
        command=command,
        provenance=provenance,
    )
