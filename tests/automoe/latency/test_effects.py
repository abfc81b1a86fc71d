from pathlib import Path
from random import Random

import pandas as pd
import pytest
from support.small_text import small_space

from automoe.architecture.translation_workload import TranslationWorkload
from automoe.latency.effects import architecture_effects
from automoe.latency.features import features
from predictors import fit_log

SPACE = small_space()
WORKLOAD = TranslationWorkload.of(SPACE)


def write_log(path: Path) -> Path:
    """A latency of 5 ms and 3 ms for each decoder layer, without noise."""
    rng = Random(0)
    architectures = list(dict.fromkeys(SPACE.sample(rng) for _ in range(60)))
    rows = [
        {
            "architecture": a.to_json(),
            "workload": str(WORKLOAD),
            **features(a, WORKLOAD),
            "latency_ms": 5 + 3 * len(a.decoder.layers),
        }
        for a in architectures
    ]
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_a_change_costs_what_the_predictor_says(tmp_path: Path) -> None:
    log = write_log(tmp_path / "lat.csv")
    predictor = fit_log(log, features=["feature_decoder_layers", "feature_encoder_heads"])
    found = architecture_effects(predictor, log)
    assert found["one more decoder layer like the last"] == pytest.approx(3, rel=0.02)
    assert "one more encoder layer like the last" not in found  # all encoders have two
    assert found["one more 32-wide decoder expert"] == pytest.approx(0, abs=0.05)


def test_a_log_without_architectures_has_none(tmp_path: Path) -> None:
    log = tmp_path / "lat.csv"
    pd.DataFrame({"layers": range(1, 41), "latency_ms": range(1, 41)}).to_csv(log, index=False)
    assert architecture_effects(fit_log(log), log) == {}


def test_a_log_of_dense_models_says_nothing_about_experts(tmp_path: Path) -> None:
    log = write_log(tmp_path / "lat.csv")
    rows = pd.read_csv(log)
    dense = rows["feature_encoder_sparse_layers"] + rows["feature_decoder_sparse_layers"] == 0
    space = small_space(max_experts=1)
    rng = Random(1)
    own = {a.to_json(): a for a in (space.sample(rng) for _ in range(60))}.values()
    made = [
        {"architecture": a.to_json(), "workload": str(WORKLOAD), **features(a, WORKLOAD)}
        | {"latency_ms": 5 + 3 * len(a.decoder.layers)}
        for a in own
    ]
    pd.concat([rows[dense], pd.DataFrame(made)]).to_csv(log, index=False)
    effects = architecture_effects(fit_log(log), log)
    assert [name for name in effects if "expert" in name] == []
    assert effects["one more decoder layer like the last"] > 0
