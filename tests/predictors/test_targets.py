import pandas as pd
import pytest

from predictors.table import TableError
from predictors.targets import latency_ms, resolve_targets


def test_latency_ms_is_the_default() -> None:
    assert resolve_targets(pd.DataFrame({"a": [1], "latency_ms": [2]}), None) == ("latency_ms",)


def test_without_a_default_the_candidates_are_listed() -> None:
    frame = pd.DataFrame({"a": [1], "latency_mean_encoder": [2], "time_ms": [3]})
    with pytest.raises(
        TableError, match=r"Name one or more of: latency_mean_encoder, time_ms\. They"
    ):
        resolve_targets(frame, None)


def test_the_hint_for_seconds_says_what_a_target_is_in() -> None:
    match = (
        r"latency_s\. They are taken as milliseconds; a unit in a name, such as latency_s, is ref"
    )
    with pytest.raises(TableError, match=match):
        resolve_targets(pd.DataFrame({"a": [1], "latency_s": [2]}), None)


def test_an_absent_target_suggests_the_nearest() -> None:
    frame = pd.DataFrame({"a": [1], "latency_mean": [2]})
    match = r"no column 'latency_maen'\. Did you mean 'latency_mean'\? Columns: a, latency_mean\."
    with pytest.raises(TableError, match=match):
        resolve_targets(frame, ["latency_maen"])


def test_targets_are_summed() -> None:
    frame = pd.DataFrame({"e": [1.0, 2.0], "d": [10.0, 20.0]})
    assert latency_ms(frame, ["e", "d"]).tolist() == [11.0, 22.0]


@pytest.mark.parametrize("cell", ["abc", "nan", "inf", "1e300", "0", "-1", ""])
def test_a_bad_target_is_located(cell: str) -> None:
    frame = pd.DataFrame({"y": ["1", cell]}, index=pd.Index([2, 3], name="line"))
    frame.attrs["source"] = "lat.csv"
    must_be = r"a latency in milliseconds must be a number above 0, at most 1e\+20"
    message = rf"lat\.csv, line 3, column 'y': {must_be}\. Got '{cell}'\. Correct"
    with pytest.raises(TableError, match=message):
        latency_ms(frame, ["y"])
