import numpy as np
import pandas as pd
import pytest

from predictors import TableError
from predictors.conditions import (
    conditions,
    details,
    noise_floor,
    other_conditions,
    usable_rows,
)
from predictors.preparation import prepare


def test_failed_rows_are_left_out() -> None:
    frame = pd.DataFrame({"flags": ["", "failed", "noisy", "noisy;failed", float("nan")]})
    assert usable_rows(frame).index.tolist() == [0, 2, 4]
    assert len(usable_rows(pd.DataFrame({"a": [1, 2]}))) == 2


def test_conditions_are_kept_as_text() -> None:
    frame = pd.DataFrame({"device": ["pi", "pi"], "threads": [4, 4], "layers": [1, 1]})
    assert conditions(frame) == {"device": "pi", "threads": "4"}


@pytest.mark.parametrize(
    "column",
    ["schema_version", "device_fingerprint", "power_mode", "runtime", "threads", "workload"],
)
def test_mixed_conditions_are_refused(column: str) -> None:
    frame = pd.DataFrame({column: ["one", "two"]})
    message = rf"mixes measurements: column '{column}' has 'one', 'two'\. Keep the rows of one"
    with pytest.raises(TableError, match=message):
        conditions(frame)


def test_many_values_are_cut_short() -> None:
    with pytest.raises(TableError, match=r"'4' and 2 more\."):
        conditions(pd.DataFrame({"threads": range(7)}))


def test_a_condition_that_is_a_feature_may_vary() -> None:
    assert conditions(pd.DataFrame({"threads": [1, 2]}), varied=["threads"]) == {}


def test_details_are_json_values_that_nobody_compares() -> None:
    frame = pd.DataFrame({"workload": ["w"] * 3, "workload_json": ["", '{"a": [1]}', '{"a": [2]}']})
    assert details(frame) == {"workload": {"a": [1]}}
    assert conditions(frame) == {"workload": "w"}
    assert details(frame.drop(columns="workload_json")) == {}
    with pytest.raises(TableError, match="column 'workload_json' must hold JSON. Got 'counts'"):
        details(pd.DataFrame({"workload_json": ["counts"]}))


def test_conditions_other_than_those_of_the_log_are_told() -> None:
    held = {"device": "board", "threads": "4", "runtime": "ort", "workload": "w"}
    frame = pd.DataFrame(
        {"device": ["board", "pi", "nano"], "threads": [4.0, 4.0, np.nan], "runtime": ["", "", ""]}
    )
    frame.attrs["source"] = "rows.csv"
    assert other_conditions(frame, held) == (
        "column 'device' was 'board' in the log that was fitted and is 'pi', 'nano' in rows.csv",
    )
    assert other_conditions(frame.assign(threads=2), held)[1].startswith("column 'threads' was '4'")


def test_noise_floor_by_hand() -> None:
    ends = {"ci_low_ms": [9.0, 18.0, np.nan], "ci_high_ms": [11.0, 24.0, 1.0]}
    # Half-widths 1 of 10 and 3 of 20: the median of 10 % and 15 %.
    assert noise_floor(pd.DataFrame(ends), np.array([10.0, 20.0, 1.0])) == pytest.approx(0.125)
    assert noise_floor(pd.DataFrame({"a": [1]}), np.array([1.0])) is None
    empty = pd.DataFrame({"ci_low_ms": [""], "ci_high_ms": [""]})
    assert noise_floor(empty, np.array([1.0])) is None


def test_a_target_is_no_condition() -> None:
    """Some programs call their latency `runtime`, which is the name of a condition."""
    rng = np.random.default_rng(0)
    batch = rng.integers(1, 33, 40)
    log = pd.DataFrame({"batch": batch, "runtime": 0.1 * batch * rng.normal(1, 0.02, 40)})
    assert list(prepare(log, targets=["runtime"]).latency_ms) == list(log["runtime"])
