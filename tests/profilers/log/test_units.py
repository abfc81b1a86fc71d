import pytest

from profilers import LogError
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
