"""How long something takes on a device: workloads, the measuring protocol and the log."""

from profilers.any_log import AnyLog, read_any_log
from profilers.audit import Audit, LogSummary, audit_log, check, merge, summarise
from profilers.comparison import Comparison, PointRatio, compare
from profilers.fields import WorkloadError
from profilers.graph_costs import GraphCosts, costs_of_graph
from profilers.log import (
    LatencyLog,
    read_log,
    reference_level_ms,
    require_conditions,
    samples_path,
)
from profilers.measurement import SCHEMA_VERSION, FailedPoint, Measurement, is_decided
from profilers.onnx_workload import workload_for_onnx
from profilers.problem import Problem
from profilers.protocol import Point, Progress, Protocol, Sentinel
from profilers.remote_worker import RemoteWorker
from profilers.session import measure_one, measure_points
from profilers.shared_queue import measure_on_several
from profilers.statistics import Interval, median_interval, relative_half_width
from profilers.table import LogError
from profilers.worker_process import ProfilingError, WorkerDied, WorkerError, WorkerProcess
from profilers.workload import Call, TensorSpec, Workload
from profilers.workload_costs import costs_of_workload

__all__ = [
    "SCHEMA_VERSION",
    "AnyLog",
    "Audit",
    "Call",
    "Comparison",
    "FailedPoint",
    "GraphCosts",
    "Interval",
    "LatencyLog",
    "LogError",
    "LogSummary",
    "Measurement",
    "Point",
    "PointRatio",
    "Problem",
    "ProfilingError",
    "Progress",
    "Protocol",
    "RemoteWorker",
    "Sentinel",
    "TensorSpec",
    "WorkerDied",
    "WorkerError",
    "WorkerProcess",
    "Workload",
    "WorkloadError",
    "audit_log",
    "check",
    "compare",
    "costs_of_graph",
    "costs_of_workload",
    "is_decided",
    "measure_on_several",
    "measure_one",
    "measure_points",
    "median_interval",
    "merge",
    "read_any_log",
    "read_log",
    "reference_level_ms",
    "relative_half_width",
    "require_conditions",
    "samples_path",
    "summarise",
    "workload_for_onnx",
]
