import pandas as pd
import pytest

from predictors.table import TableError
from predictors.targets import latency_ms, resolve_targets


def test_latency_ms_is_the_default() -> None:
    assert resolve_targets(pd.DataFrame({"a": [1], "latency_ms": [2]}), None) == ("latency_ms",)


def test_without_a_default_the_candidates_are_listed() -> None:
    frame = pd.DataFrame({"a": [1], "latency_mean_encoder": [2], "time_ms": [3]})
    options = r"add --target latency_mean_encoder or --target time_ms\. Several are added;"
    with pytest.raises(TableError, match=rf"{options}.* --unit us, ms or s tells the unit"):
        resolve_targets(frame, None)


def test_a_single_candidate_is_given_as_the_option_to_type() -> None:
    frame = pd.DataFrame({"batch": [1, 2], "infer time [us]": [2.0, 3.0]})
    frame.attrs["source"] = "t.csv"
    with pytest.raises(TableError) as refused:
        resolve_targets(frame, None)
    assert str(refused.value) == (
        "t.csv: no column 'latency_ms'. Say which one is the latency: add "
        "--target 'infer time [us]'."
    )


def test_no_input_is_proposed_as_a_latency() -> None:
    frame = pd.DataFrame({"batch": [1, 2], "width": [2.0, 3.0]})
    match = r"has no column that looks like a latency\. Got batch, width\. Name it with --target"
    with pytest.raises(TableError, match=match):
        resolve_targets(frame, None)


def test_a_table_of_a_known_program_has_a_default() -> None:
    names = ["command", "mean", "stddev", "median", "user", "system", "min", "max"]
    frame = pd.DataFrame([["run", *[0.25] * 7]], columns=names)
    assert resolve_targets(frame, None) == ("median",)
    assert latency_ms(frame, ["median"]).tolist() == [250.0]
    assert latency_ms(frame, ["median"], "us").tolist() == [0.00025]


def test_a_rate_is_no_latency() -> None:
    with pytest.raises(TableError, match="'tokens/s' is a rate, by its name"):
        resolve_targets(pd.DataFrame({"a": [1], "tokens/s": [2.0]}), ["tokens/s"])


def test_units_are_converted_before_the_sum() -> None:
    frame = pd.DataFrame({"enc (s)": [0.5], "dec_us": [250.0], "other": [1.0]})
    assert latency_ms(frame, ["enc (s)", "dec_us", "other"], None).tolist() == [501.25]


def test_a_unit_that_a_name_contradicts_is_refused() -> None:
    with pytest.raises(TableError, match="'--unit' must be 'us' for 'time_us'.*Got 's'"):
        latency_ms(pd.DataFrame({"time_us": [1.0]}), ["time_us"], "s")


def test_an_absent_target_suggests_the_nearest() -> None:
    frame = pd.DataFrame({"a": [1], "latency_mean": [2]})
    match = r"no column 'latency_maen'\. Did you mean 'latency_mean'\? Columns: a, latency_mean\."
    with pytest.raises(TableError, match=match):
        resolve_targets(frame, ["latency_maen"])


def test_of_many_columns_a_message_names_the_first() -> None:
    frame = pd.DataFrame({f"c{i}": [1] for i in range(60)})
    with pytest.raises(TableError, match=r"Columns: c0, .*c11, \.\.\. \(60 in all\)\."):
        resolve_targets(frame, ["absent"])


def test_targets_are_summed() -> None:
    frame = pd.DataFrame({"e": [1.0, 2.0], "d": [10.0, 20.0]})
    assert latency_ms(frame, ["e", "d"]).tolist() == [11.0, 22.0]


@pytest.mark.parametrize("cell", ["abc", "nan", "inf", "1e300", "0", "-1", ""])
def test_a_bad_target_is_located(cell: str) -> None:
    frame = pd.DataFrame({"y": ["1", cell]}, index=pd.Index([2, 3], name="line"))
    frame.attrs["source"] = "lat.csv"
    got = rf"Got '{cell}'\." if cell else r"The cell is empty\."
    must_be = r"a latency in milliseconds must be a number above 0, at most 1e\+20"
    message = rf"lat\.csv, line 3, column 'y': {must_be}\. {got} Correct"
    with pytest.raises(TableError, match=message):
        latency_ms(frame, ["y"])


@pytest.mark.parametrize("targets", [None, ["<table>"]])
def test_a_text_that_is_no_table_is_said_to_have_one_column(targets: list[str] | None) -> None:
    frame = pd.DataFrame({"<table>": ["<tr>"]})
    with pytest.raises(TableError, match="in columns separated by commas. Got 1 column, '<table>'"):
        resolve_targets(frame, targets)


def test_a_list_of_samples_is_no_target() -> None:
    frame = pd.DataFrame({"batch": [1, 2], "times_ms.mean": [1.5, 2.5], "times_ms.sum": [3.0, 5.0]})
    message = "column 'times_ms' holds a list in each row. Write the median of each list"
    for targets in (None, ["times_ms"]):
        with pytest.raises(TableError, match=message):
            resolve_targets(frame, targets)


def test_an_energy_is_no_target() -> None:
    frame = pd.DataFrame({"batch": [1, 2], "energy_mJ": [1.5, 2.5]})
    with pytest.raises(TableError, match="'energy_mJ' is an energy or a power, by its name. Name"):
        resolve_targets(frame, ["energy_mJ"])


def test_a_column_of_texts_is_not_proposed_as_a_latency() -> None:
    frame = pd.DataFrame({"a_latency_unit": ["x", "y"], "a_latency_value": [1.5, 2.5]})
    with pytest.raises(TableError, match="add --target a_latency_value. --unit us"):
        resolve_targets(frame, None)
