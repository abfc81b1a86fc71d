"""Measurements made up for the tests of logs."""

from typing import Any

from support.scripted import INFO

from profilers import Measurement


def made_up(point_id: str = "a", **changes: Any) -> Measurement:
    """A sound measurement, but for `changes`."""
    fields: dict[str, Any] = {
        "point_id": point_id,
        "latency_ms": 10.0,
        "ci_low_ms": 9.9,
        "ci_high_ms": 10.1,
        "raw_latency_ms": 10.0,
        "cpu_ms": 9.5,
        "call_ms": {"model": 10.0},
        "min_ms": 9.0,
        "mad_ms": 0.125,
        "tails_ms": {90: None, 95: None, 99: None},
        "n_samples": 30,
        "n_blocks": 3,
        "n_processes": 3,
        "sentinel": "s",
        "sentinel_ms": 1.0,
        "sentinel_reference_ms": 1.0,
        "sentinel_drift": 1.0,
        "wall_over_cpu": 1.0,
        "cpu_mhz": None,
        "temperature_c": None,
        "load_ms": 4.0,
        "stop_reason": "target",
        "flags": (),
        "quality": "A",
        "tokens_per_expert": {},
        "runtime": "onnxruntime 1.2.3",
        "threads": 1,
        "device": INFO,
        "measured_at": "2026-01-02T03:04:05.678+00:00",
        "samples": ({"pid": 7},),
        "columns": {},
    }
    return Measurement(**{**fields, **changes})
