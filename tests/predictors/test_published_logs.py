from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from predictors import Predictor, fit_log, read_table

LOGS = Path(__file__).parents[2].parent / "shared" / "data" / "latency"
TARGETS = ["latency_mean_encoder", "latency_mean_decoder"]

pytestmark = pytest.mark.skipif(
    not LOGS.is_dir(), reason="the published logs are not in ../shared/data/latency"
)


def errors(predictor: Predictor, test: pd.DataFrame, actual: pd.Series) -> tuple[float, float]:
    """MAPE and the coverage of the 95 % bound."""
    rows = predictor.predict(test)
    error = np.abs(rows["predicted_ms"] / actual - 1)
    return float(error.mean()), float(np.mean(actual <= rows["upper_ms"]))


@pytest.mark.parametrize(
    ("name", "mape"),
    [("wmt14ende_cpu_xeon_all.csv", 0.06), ("wmt14enfr_gpu_titanxp_all.csv", 0.022)],
)
def test_fifty_rows_of_a_hat_log(name: str, mape: float) -> None:
    log = read_table(LOGS / name)
    found = []
    for seed in range(3):
        train = log.sample(50, random_state=seed)
        test = log.drop(train.index)
        found.append(errors(fit_log(train, targets=TARGETS), test, test[TARGETS].sum(axis=1)))
    reached, covered = np.median(found, axis=0)
    assert reached < mape
    assert covered > 0.9


ARCHITECTURE = ["hidden_size", "inter_size", "topk", "num_experts"]


def test_fifty_rows_of_the_moe_kernel_on_unseen_architectures() -> None:
    log = read_table(LOGS / "moe_kernel_h100_vllm.csv")
    groups = log.groupby(ARCHITECTURE).ngroup()
    found = []
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(groups.unique())
        known = groups.isin(order[: len(order) // 2])
        train = log[known].sample(50, random_state=seed)
        test = log[~known]
        found.append(errors(fit_log(train), test, test["latency_ms"]))
    assert np.median(found, axis=0)[0] < 0.18
