"""One self-contained HTML page for a finished run."""

from automoe.report.contents import Candidate, ReportContents
from automoe.report.page import render

__all__ = ["Candidate", "ReportContents", "render"]
