import numpy as np
import pandas as pd
import pytest

from predictors import FeatureSchema, TableError
from predictors.conditions import conditions
from predictors.roles import roles_of
from profilers.log.conditions import DETAILS, KEPT


def test_every_column_of_the_file_has_a_role() -> None:
    n = 12
    frame = pd.DataFrame(
        {
            "widths.mean": np.arange(n),
            "widths.sum": np.arange(n),
            "widths.count": 1 + np.arange(n) % 2,
            "layers": np.arange(n) % 3,
            "vocab": 100,
            "latency_ms": 1.0 + np.arange(n),
            "latency_std": 0.1,
            "device": "board",
            "workload_json": "{}",
            "flags": ["", "noisy"] * 6,
            "run_id": np.arange(n),
        }
    )
    schema = FeatureSchema.infer(frame, ["latency_ms"])
    assert roles_of(frame, schema, ["latency_ms"], groups=["layers", "vocab"]) == {
        "widths": "feature",
        "layers": "feature, group",
        "vocab": "constant, group",
        "latency_ms": "target",
        "latency_std": "ignored",
        "device": "condition",
        "workload_json": "ignored",
        "flags": "ignored",
        "run_id": "ignored",
    }


def test_what_only_the_physics_reads_is_work() -> None:
    frame = pd.DataFrame(
        {
            "num_tokens": np.arange(1, 9),
            "hidden_size": 1024,
            "inter_size": 512,
            "num_experts": 8,
            "latency_ms": np.arange(1.0, 9),
        }
    )
    roles = roles_of(frame, FeatureSchema.infer(frame, ["latency_ms"]), ["latency_ms"])
    assert roles["num_tokens"] == "feature"
    assert roles["hidden_size"] == "work"


def test_a_condition_has_one_value_or_the_log_is_refused() -> None:
    frame = pd.DataFrame({"layers": range(4), "latency_ms": [1.0, 2, 3, 4]})
    names = [x for x in KEPT if x not in DETAILS]
    for name in names:
        mixed = frame.assign(**{name: ["one", "two", "one", "two"]})
        schema = FeatureSchema.infer(mixed, ["latency_ms"])
        assert roles_of(mixed, schema, ["latency_ms"])[name] == "condition"
        with pytest.raises(TableError, match=f"column '{name}' has 'one', 'two'"):
            conditions(mixed)
