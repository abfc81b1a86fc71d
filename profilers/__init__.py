"""This package measures how long ONNX graphs take on a device, and keeps and judges the log."""

from profilers.audit.log_audit import Audit, LogSummary, audit_log, check, merge, summarise
from profilers.audit.problem import Problem
from profilers.audit.table_summary import TableSummary, summarise_any
from profilers.costs.graph import (
    GraphCosts,
    costs_of_graph,
    costs_of_opened,
    deciding_inputs,
)
from profilers.costs.workload import costs_of_workload
from profilers.log.any_log import AnyLog, read_any_log
from profilers.log.comparison import Comparison, PointRatio, compare
from profilers.log.latency_log import (
    LatencyLog,
    read_log,
    reference_level_ms,
    require_conditions,
    samples_path,
    sentinel_of_log,
)
from profilers.log.rows import LogError
from profilers.log.shared_device import SharedDevice
from profilers.log.shared_log import SharedLog, read_shared_log
from profilers.log.sharing import share_log
from profilers.measuring.flag_meanings import FLAG_MEANINGS
from profilers.measuring.intervals import Interval, median_interval, relative_half_width
from profilers.measuring.measurement import SCHEMA_VERSION, FailedPoint, Measurement, is_decided
from profilers.measuring.protocol import Point, Progress, Protocol, Sentinel
from profilers.measuring.session import measure_one, measure_points
from profilers.measuring.shared_queue import measure_on_several
from profilers.workers.local import ProfilingError, WorkerDied, WorkerError, WorkerProcess
from profilers.workers.remote import RemoteWorker
from profilers.workload.fields import WorkloadError
from profilers.workload.from_onnx import (
    OnnxWorkload,
    open_onnx_workload,
    require_measurable,
    workload_for_onnx,
)
from profilers.workload.given_values import GivenValues
from profilers.workload.workload import Call, TensorSpec, Workload

__all__ = [
    "FLAG_MEANINGS",
    "SCHEMA_VERSION",
    "AnyLog",
    "Audit",
    "Call",
    "Comparison",
    "FailedPoint",
    "GivenValues",
    "GraphCosts",
    "Interval",
    "LatencyLog",
    "LogError",
    "LogSummary",
    "Measurement",
    "OnnxWorkload",
    "Point",
    "PointRatio",
    "Problem",
    "ProfilingError",
    "Progress",
    "Protocol",
    "RemoteWorker",
    "Sentinel",
    "SharedDevice",
    "SharedLog",
    "TableSummary",
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
    "costs_of_opened",
    "costs_of_workload",
    "deciding_inputs",
    "is_decided",
    "measure_on_several",
    "measure_one",
    "measure_points",
    "median_interval",
    "merge",
    "open_onnx_workload",
    "read_any_log",
    "read_log",
    "read_shared_log",
    "reference_level_ms",
    "relative_half_width",
    "require_conditions",
    "require_measurable",
    "samples_path",
    "sentinel_of_log",
    "share_log",
    "summarise",
    "summarise_any",
    "workload_for_onnx",
]
