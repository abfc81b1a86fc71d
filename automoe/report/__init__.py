"""This package makes pages of runs, fits and logs: HTML that loads nothing else."""

from automoe.report.comparing import (
    compared_runs,
    compared_values,
    names_of,
    render_comparison,
)
from automoe.report.contents import Candidate, ReportContents
from automoe.report.fit_page import render_fit
from automoe.report.log_page import render_log
from automoe.report.page import render
from automoe.report.verdict import headline_of, remark_of, verdict_of

__all__ = [
    "Candidate",
    "ReportContents",
    "compared_runs",
    "compared_values",
    "headline_of",
    "names_of",
    "remark_of",
    "render",
    "render_comparison",
    "render_fit",
    "render_log",
    "verdict_of",
]
