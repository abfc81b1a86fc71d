from random import Random

import pytest
from support.small_text import small_space

from automoe.architecture.translation_workload import TranslationWorkload
from automoe.latency.features import feature_table
from automoe.latency.model import LatencyModel
from automoe.search.preflight import (
    warn_of_another_device,
    warn_of_another_release,
    warn_of_another_space,
    warn_of_unsound_rows,
)
from devices import get_device
from predictors import fit_log
from profilers import SCHEMA_VERSION

SPACE = small_space()
WORKLOAD = TranslationWorkload.of(SPACE)


@pytest.mark.parametrize(("max_experts", "is_told"), [(3, False), (1, True)])
def test_a_log_of_another_space_is_told(max_experts: int, is_told: bool) -> None:
    told: list[str] = []
    rng, measured = Random(0), small_space(max_experts=max_experts)
    drawn = list(dict.fromkeys(measured.sample(rng) for _ in range(40)))
    frame = feature_table(drawn, WORKLOAD)
    frame["latency_ms"] = 1e-6 * frame["feature_total_mflops"] + [rng.gauss(1, 0.01) for _ in drawn]
    warn_of_another_space(LatencyModel(fit_log(frame), WORKLOAD), SPACE, say=told.append)
    assert len(told) == is_told
    assert all(
        "of 200 random architectures of 'small' lie outside the log" in line for line in told
    )


@pytest.mark.parametrize(
    ("held", "told"),
    [
        ({}, []),
        ({"device_fingerprint": "{fingerprint}", "power_mode": "{power_mode}"}, []),
        ({"device_fingerprint": "abc"}, ["fitted on device abc; this one is {fingerprint}"]),
        (
            {"power_mode": "MAXN"},
            ["in power mode MAXN; the device is in {power_mode}, where its bounds promise noth"],
        ),
    ],
)
def test_a_log_of_another_device_or_power_mode_is_told(
    held: dict[str, str], told: list[str]
) -> None:
    info = get_device("simulated").info()
    rng = Random(0)
    frame = feature_table([SPACE.sample(rng) for _ in range(40)], WORKLOAD)
    frame["latency_ms"] = [rng.gauss(1, 0.01) for _ in range(40)]
    for name, value in held.items():
        frame[name] = value.format(**info.to_dict())
    said: list[str] = []
    warn_of_another_device(LatencyModel(fit_log(frame), WORKLOAD), info, say=said.append)
    assert len(said) == len(told)
    for line, part in zip(said, told, strict=True):
        assert part.format(**info.to_dict()) in line


@pytest.mark.parametrize(
    ("held", "is_told"),
    [
        ({}, False),
        ({"device_fingerprint": "abc"}, True),  # of a release that did not keep the version
        ({"device_fingerprint": "abc", "schema_version": 1}, True),
        ({"device_fingerprint": "abc", "schema_version": SCHEMA_VERSION}, False),
    ],
)
def test_a_log_of_another_release_is_told(held: dict[str, object], is_told: bool) -> None:
    rng = Random(0)
    frame = feature_table([SPACE.sample(rng) for _ in range(40)], WORKLOAD).assign(**held)
    frame["latency_ms"] = [rng.gauss(1, 0.01) for _ in range(40)]
    said: list[str] = []
    warn_of_another_release(LatencyModel(fit_log(frame), WORKLOAD), say=said.append)
    assert len(said) == is_told
    assert all("of another release" in line for line in said)


@pytest.mark.parametrize(
    ("quality", "told"), [("C" * 40, ["All 40 rows"]), ("B" + "C" * 39, []), ("", [])]
)
def test_a_log_without_a_sound_row_is_told(quality: str, told: list[str]) -> None:
    rng = Random(0)
    frame = feature_table([SPACE.sample(rng) for _ in range(40)], WORKLOAD)
    frame["latency_ms"] = [rng.gauss(1, 0.01) for _ in range(40)]
    if quality:
        frame["quality"] = list(quality)
    said: list[str] = []
    warn_of_unsound_rows(LatencyModel(fit_log(frame), WORKLOAD), say=said.append)
    assert len(said) == len(told)
    for line, part in zip(said, told, strict=True):
        assert part in line
