"""This module makes the page of a log, for those who only measure."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from automoe.report.figures import drift_figure, latency_figure
from automoe.report.flags import counted
from automoe.report.templates import filled, marked, moment, number, percent
from predictors import read_table
from predictors.targets import DEFAULT_TARGET
from profilers import AnyLog, LogSummary, TableSummary, read_any_log, summarise_any

_LABELS = {
    "latency_min_ms": "smallest latency (ms)",
    "latency_median_ms": "median latency (ms)",
    "latency_max_ms": "largest latency (ms)",
    "half_width_median": "median half-width of the 95 % intervals",
    "first_at": "first measured",
    "last_at": "last measured",
    "malformed_lines": "lines that are no rows",
    "latency": "columns of the latency",
    "units": "their units",
    "others": "other columns",
    "remarks": "how it was read",
}
_SHOWN_APART = {"flags", "features"}


def render_log(path: Path, *, command: str) -> str:
    """Return the page of a log as HTML that loads no other file.

    Args:
        path: The log, of `automoe profile` or of any other tool.
        command: The command that makes this page again.

    Raises:
        LogError: The file cannot be read.
    """
    summary = summarise_any(path)
    ours = isinstance(summary, LogSummary) and summary.rows > 0
    log = read_table(path) if ours else pd.DataFrame()
    fields = [
        (_LABELS.get(name, name.replace("_", " ")), _shown(name, value))
        for name, value in asdict(summary).items()
        if name not in _SHOWN_APART and value not in (None, (), {})
    ]
    return filled(
        "log.html.j2",
        title=f"Latency log {path.name}",
        fields=fields,
        features=[] if isinstance(summary, LogSummary) else list(summary.features.items()),
        is_ours=isinstance(summary, LogSummary),
        flags=counted(log),
        figures=_figures(summary, log, read_any_log(path)),
        path=str(path),
        targets=_target_options(summary),
        command=command,
    )


def _target_options(summary: LogSummary | TableSummary) -> str:
    """Return the options that name the latency, as `fit` needs them."""
    if isinstance(summary, LogSummary) or summary.latency == (DEFAULT_TARGET,):
        return ""
    return "".join(f" --target {shlex.quote(name)}" for name in summary.latency or ["COLUMN"])


def _figures(
    summary: LogSummary | TableSummary, log: pd.DataFrame, table: AnyLog
) -> dict[str, Markup]:
    if len(log):
        latencies_ms = log["latency_ms"].astype(float).tolist()
    elif isinstance(summary, TableSummary):
        units = {name: table.unit_of(name) for name in summary.latency}
        parts = [(unit.in_ms * table.rows.numbers(name)).tolist() for name, unit in units.items()]
        latencies_ms = list(map(sum, zip(*parts, strict=True)))
    else:
        latencies_ms = []
    positive = [latency for latency in latencies_ms if latency > 0]
    drawn = {"latency": latency_figure(positive)} if positive else {}
    if "sentinel_drift" in log:
        drawn["drift"] = drift_figure(log)
    return marked(drawn)


def _shown(name: str, value: Any) -> str:
    if name in ("first_at", "last_at"):
        return moment(value)
    if name == "half_width_median":
        return percent(value)
    if isinstance(value, dict):
        return ", ".join(f"{name}: {count}" for name, count in value.items())
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return number(value) if isinstance(value, float) else str(value)
