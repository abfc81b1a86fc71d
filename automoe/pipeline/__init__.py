"""Run every stage from profiling to the report; a run has one folder and can be resumed."""

from automoe.pipeline.config import ConfigError, RunConfig
from automoe.pipeline.dry_run import Plan, StagePlan, plan_run
from automoe.pipeline.reporting import draw_report, report_contents
from automoe.pipeline.stages import RunSummary, run

__all__ = [
    "ConfigError",
    "Plan",
    "RunConfig",
    "RunSummary",
    "StagePlan",
    "draw_report",
    "plan_run",
    "report_contents",
    "run",
]
