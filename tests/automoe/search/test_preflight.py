from random import Random

import pytest
from support.small_text import small_space

from automoe.architecture.workload import TranslationWorkload
from automoe.latency.features import feature_table
from automoe.latency.model import LatencyModel
from automoe.search.preflight import warn_of_another_space
from predictors import fit_log

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
