from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

NOISE = 0.03


@pytest.fixture(scope="session")
def roofline_log() -> Callable[..., pd.DataFrame]:
    """A maker of logs that follow an additive roofline with 3 % noise."""
    return make_roofline_log


def make_roofline_log(n: int, *, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    layers = rng.integers(1, 7, n)
    frame = pd.DataFrame(
        {
            "feature_encoder_gflops": rng.uniform(1, 6, n),
            "feature_decoder_gflops": layers * rng.uniform(0.2, 0.8, n),
            "feature_weights_touched_mb": layers * rng.uniform(4, 30, n),
            "feature_decoder_layers": layers,
            "feature_experts": rng.integers(1, 7, n),
        }
    )
    work = frame.to_numpy() @ [1.5, 4.0, 0.25, 3.0, 0.0]
    frame["latency_ms"] = (2 + work) * rng.lognormal(0, NOISE, n)
    frame["device"] = "board"
    return frame
