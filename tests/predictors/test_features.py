import re
from pathlib import Path

import pandas as pd
import pytest

from predictors import Feature, FeatureSchema, TableError, read_table


def log() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "layers": [1, 2, 3, 4],
            "routing": ["worst", "balanced", "worst", "balanced"],
            "ffn.mean": [1.0, 2.0, 3.0, 4.0],
            "ffn.sum": [2.0, 4.0, 6.0, 8.0],
            "ffn.count": [2.0, 2.0, 2.0, 2.0],
            "vocabulary": [9, 9, 9, 9],
            "arch": ["a", "b", "c", "d"],
            "latency_ms": [1.0, 2.0, 3.0, 4.0],
            "latency_std": [0.1, 0.2, 0.3, 0.4],
        }
    )


def test_inferred_features_leak_no_result() -> None:
    schema = FeatureSchema.infer(log(), ["latency_ms"])
    assert schema.features == (
        Feature("layers", "numeric"),
        Feature("routing", "categorical", ("balanced", "worst")),
        Feature("ffn", "list"),
    )


def test_marked_columns_are_all_the_features() -> None:
    frame = log().assign(feature_layers=[1, 2, 3, 4], feature_ms=5)
    schema = FeatureSchema.infer(frame, ["latency_ms"])
    assert schema.columns == ("feature_layers", "feature_ms")


def test_matrix_by_hand() -> None:
    schema = FeatureSchema.infer(log(), ["latency_ms"])
    assert schema.columns == (
        *("layers", "routing=balanced", "routing=worst"),
        *("ffn.mean", "ffn.sum", "ffn.count"),
    )
    assert schema.matrix(log())[0].tolist() == [1, 0, 1, 1, 2, 2]
    assert schema.measured.tolist() == [True, False, False, True, True, True]


def test_lists_that_were_not_expanded_give_the_same_matrix() -> None:
    frame = pd.DataFrame({"ffn": [[1, 3], [4]], "y": [1.0, 2.0]})
    schema = FeatureSchema.infer(frame, ["y"])
    assert schema.matrix(frame).tolist() == [[2, 4, 2], [4, 4, 1]]
    assert schema.matrix(pd.DataFrame({"ffn": [5]})).tolist() == [[5, 5, 1]]
    assert schema.matrix(pd.DataFrame({"ffn": ["1_3"]})).tolist() == [[2, 4, 2]]


def test_flops_columns_are_the_total_or_the_parts() -> None:
    frame = pd.DataFrame({"a_gflops": [1.0], "b_gflops": [2.0], "total_flops": [3.0], "n": [4]})
    parts = FeatureSchema.infer(frame, [], ["a_gflops", "n", "b_gflops"])
    assert parts.flops_columns == (0, 2)
    total = FeatureSchema.infer(frame, [], ["a_gflops", "b_gflops", "total_flops"])
    assert total.flops_columns == (2,)
    assert FeatureSchema.infer(frame, [], ["n"]).flops_columns == ()


def test_an_unknown_level_is_refused() -> None:
    schema = FeatureSchema.infer(log(), ["latency_ms"])
    frame = log().assign(routing="skewed")
    message = r"row 0, column 'routing': level 'skewed' was not in the log\. Known: balanced, worst"
    with pytest.raises(TableError, match=message):
        schema.matrix(frame)


def test_missing_columns_are_all_named() -> None:
    sizes = {"num_tokens": [1, 2], "hidden_size": 8, "inter_size": 8, "num_experts": 4}
    frame = pd.DataFrame({**sizes, "latency_ms": [1.0, 2.0]})
    schema = FeatureSchema.infer(frame, ["latency_ms"])
    message = "no column 'num_tokens', 'inter_size'. Columns: hidden_size, num_experts. A pred"
    with pytest.raises(TableError, match=message):
        schema.matrix(frame[["hidden_size", "num_experts"]])


def test_a_missing_column_is_refused() -> None:
    schema = FeatureSchema.infer(log(), ["latency_ms"])
    with pytest.raises(TableError, match=r"no column 'layers'\..*A predictor needs every column"):
        schema.matrix(log().drop(columns="layers"))


@pytest.mark.parametrize("cell", [None, float("inf"), 1e308, "many"])
def test_a_feature_that_is_no_number_is_refused(cell: object) -> None:
    schema = FeatureSchema.infer(log(), ["latency_ms"])
    frame = log().astype({"layers": object})
    frame.loc[2, "layers"] = cell
    with pytest.raises(TableError, match=r"row 2, column 'layers': a feature must be a number"):
        schema.matrix(frame)


@pytest.mark.parametrize("cell", ["wide", "[]", "[13, x]", [], [13, "x"], "1e200_1"])
def test_a_list_that_is_no_list_is_refused(cell: object) -> None:
    schema = FeatureSchema((Feature("ffn", "list"),))
    match = r"row 0, column 'ffn': a list must hold numbers .* and at least one\. Got "
    with pytest.raises(TableError, match=match + re.escape(repr(str(cell)))):
        schema.matrix(pd.DataFrame({"ffn": [cell]}))


@pytest.mark.parametrize(
    ("usual", "odd"), [("[{}, 8]", "[]"), ("[{}, 8]", "[13, x]"), ("{}_8", ""), ("{}", "1O")]
)
def test_a_cell_unlike_the_others_of_its_column_is_named(
    tmp_path: Path, usual: str, odd: str
) -> None:
    cells = [usual.format(n) for n in range(20)]
    cells[4] = odd
    path = tmp_path / "lat.csv"
    pd.DataFrame({"ffn": cells, "latency_ms": range(1, 21)}).to_csv(path, index=False)
    log = read_table(path)
    schema = FeatureSchema.infer(log, ["latency_ms"])
    shown = rf"Got '{re.escape(odd)}'" if odd else "The cell is empty"
    message = rf"lat\.csv, line 6, column 'ffn': a (list|feature) must .*{shown}\."
    with pytest.raises(TableError, match=message):
        schema.matrix(log)


def test_lists_of_lists_and_of_words_are_text() -> None:
    cells = [f"[[{n}], [2]]" for n in range(10)] + ['["a"]'] * 10
    frame = pd.DataFrame({"arch": cells, "layers": range(20)})
    assert FeatureSchema.infer(frame, []).features == (Feature("layers", "numeric"),)


def test_named_features_must_exist_and_differ_from_the_target() -> None:
    with pytest.raises(TableError, match=r"no column 'layer'\. Did you mean 'layers'\?"):
        FeatureSchema.infer(log(), ["latency_ms"], ["layer"])
    with pytest.raises(TableError, match=r"'latency_ms' is a target and cannot be a feature"):
        FeatureSchema.infer(log(), ["latency_ms"], ["latency_ms"])


def test_no_feature_left_is_refused() -> None:
    with pytest.raises(TableError, match=r"no column can serve as a feature"):
        FeatureSchema.infer(log()[["latency_ms", "latency_std"]], ["latency_ms"])


def test_an_infinite_rate_is_a_reciprocal(tmp_path: Path) -> None:
    path = tmp_path / "serving.csv"
    rates = ["inf", "1", "4", "Infinity"] * 6
    lines = [f"{rate},{n},{10 + n}.5" for n, rate in enumerate(rates)]
    path.write_text("\n".join(["request_rate,prompts,latency_ms", *lines]) + "\n")
    frame = read_table(path)
    schema = FeatureSchema.infer(frame, ["latency_ms"])
    assert schema.columns == ("1/request_rate", "prompts")
    assert schema.matrix(frame)[:4, 0].tolist() == [0, 1, 0.25, 0]
    (remark,) = schema.remarks(frame)
    assert "'request_rate' is infinite in 12 of 24 rows; the feature is 1/request_rate" in remark
    frame.loc[2, "request_rate"] = 0
    with pytest.raises(TableError, match="line 2, column 'request_rate': a feature with infinite"):
        schema.matrix(frame)
