"""Tests of the simulated logs of groups."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from bench_group_coverage import simulated  # after its folder is known


def test_simulated_rows_of_a_group_share_what_no_feature_tells() -> None:
    log = simulated(200, 5, np.random.default_rng(0))
    exact_ms = 0.05 + log["layers"] * (
        log["width"] * log["ffn"] * 2.1e-6 + log["width"] ** 2 * 4e-6 + 0.02
    )
    rest = np.log(log["latency_ms"] / exact_ms).groupby(log["architecture"])
    assert rest.size().eq(5).all()
    assert rest.mean().std() == pytest.approx(0.04, rel=0.2)
    assert rest.std().mean() == pytest.approx(0.01, rel=0.2)
