import pytest

from profilers import LogError
from profilers.log.column_names import is_duration
from profilers.log.units import unit_in, unit_of


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        *(("time_us", "us"), ("latency(ns)", "ns"), ("Latency (ms)", "ms"), ("duration_s", "s")),
        *(("Time [sec]", "s"), ("avg_ns", "ns"), ("us1", "us"), ("latencyMs", "ms")),
        *(("time_\u03bcs", "us"), ("time (\ufffds)", None), ("\u8017\u65f6ms", "ms")),
        *(("temps \u00e9coul\u00e9s", None), ("msPerStep", "ms"), ("opsPerSec", None)),
        *(("s/iter", "s"), ("s_per_token", "s"), ("s_model", None)),
        *(("Latency_Milli_Seconds", "ms"), ("ElapsedMicroSec", "us"), ("micro batch", None)),
        *(("latency-\u03bcsec", "us"), ("nano-seconds", "ns"), ("time [millisec]", "ms")),
        *(("s", None), ("mean", None), ("tokens/s", None), ("time_min", None)),
    ],
)
def test_a_unit_is_read_from_a_name(name: str, unit: str | None) -> None:
    assert unit_in(name) == unit


def test_the_name_decides_then_the_user_then_the_program() -> None:
    columns = ("command", "mean", "stddev", "user", "system", "min", "max", "took_us", "other")
    assert unit_of("took_us", columns).name == "us"
    assert unit_of("mean", columns).name == "s"
    assert unit_of("mean", columns, "ms").name == "ms"
    assert unit_of("other", columns).source == ""
    with pytest.raises(LogError, match="'--unit' must be one of us, ms, s. Got 'h'"):
        unit_of("other", columns, "h")


@pytest.mark.parametrize(
    ("name", "in_ms"),
    [
        ("Latency (10^-3 s)", 1.0),
        ("time [1e-6 s]", 1e-3),
        ("latency (x1000 us)", 1.0),
        ("Latency (\u00d710\u207b\u2076 s)", 1e-3),
        ("latency (0.1 ms)", 0.1),
        ("latency [100 ns]", 1e-4),
        ("time (10**-9 s)", 1e-6),
        ("time (e-3 s)", 1.0),
        ("latency (us)", 1e-3),
        ("Time (100 NS)", 1e-4),
        ("latency (100 ns/op)", 1e-4),
        ("time (1e3 \u03bcs per step)", 1.0),
        ("latency_ms (95th)", 1.0),
        ("latency ms (99 percentile)", 1.0),
        ("time_us [2 threads]", 1e-3),
        ("mean_ms (10 reps)", 1.0),
        ("p99 latency (ms)", 1.0),
    ],
)
def test_a_number_before_the_unit_in_a_name_counts(name: str, in_ms: float) -> None:
    assert is_duration(name)
    assert unit_of(name, [name]).in_ms == in_ms
