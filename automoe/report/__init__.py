"""This package makes the report of a finished run: one HTML page that loads nothing else."""

from automoe.report.contents import Candidate, ReportContents
from automoe.report.page import render

__all__ = ["Candidate", "ReportContents", "render"]
