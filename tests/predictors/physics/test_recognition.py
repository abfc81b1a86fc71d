import numpy as np
import pandas as pd
import pytest

from predictors import TableError
from predictors.physics import recognise

MOE = ["num_tokens", "hidden_size", "inter_size", "topk", "num_experts", "moe_ep_size"]
HAT = [
    *("encoder_embed_dim", "encoder_layer_num", "encoder_ffn_embed_dim_avg"),
    *("decoder_embed_dim", "decoder_layer_num", "decoder_ffn_embed_dim_avg"),
]


def test_a_moe_layer_is_recognised_by_the_words_of_its_columns() -> None:
    found = recognise(MOE)
    assert found is not None
    assert (found.kind, found.roles["expert_parallel"]) == ("moe_layer", "moe_ep_size")
    assert found.architecture == ("hidden_size", "inter_size", "topk", "num_experts")
    other = recognise(["Tokens", "d_model", "ffn_dim", "n_experts"])
    assert other is not None
    assert other.roles == {
        **{"tokens": "Tokens", "hidden": "d_model"},
        **{"width": "ffn_dim", "experts": "n_experts"},
    }


def test_hats_averages_are_recognised_and_summed_over_layers() -> None:
    found = recognise([*HAT, "latency_mean_encoder"])
    assert found is not None
    assert found.kind == "dense_transformer"
    frame = pd.DataFrame([[640, 6, 2048, 512, 3, 1024]], columns=HAT)
    row = dict(zip(found.columns, found.matrix(frame)[0], strict=True))
    assert row["encoder_ffn_mega"] == pytest.approx(6 * 640 * 2048 / 1e6)
    assert row["decoder_attention_mega"] == pytest.approx(3 * 512 / 1e6)
    assert (row["decoder_layers"], row["decoder_expert_mega"]) == (3, 0)
    assert row["cross_attention_mega"] == pytest.approx(3 * (512 + 640) / 1e6)


def test_automoes_averages_add_what_further_experts_hold() -> None:
    columns = [*HAT, "decoder_n_experts_avg", "decoder_each_expert_ffn_dim_avg"]
    found = recognise(columns)
    assert found is not None
    frame = pd.DataFrame([[640, 6, 2048, 512, 3, 1024, 4, 2000]], columns=columns)
    row = dict(zip(found.columns, found.matrix(frame)[0], strict=True))
    assert row["decoder_ffn_mega"] == pytest.approx(3 * 512 * 2000 / 1e6)
    assert row["decoder_expert_mega"] == pytest.approx(3 * 3 * 512 * 2000 / 1e6)


@pytest.mark.parametrize("columns", [["layers", "width"], HAT[:5], MOE[:3]])
def test_anything_else_is_not(columns: list[str]) -> None:
    assert recognise(columns) is None


def test_no_rows_give_no_rows() -> None:
    found = recognise(HAT)
    assert found is not None
    assert found.matrix(pd.DataFrame(columns=HAT)).shape == (0, len(found.columns))


def test_a_size_of_zero_is_named_with_its_line() -> None:
    found = recognise(MOE)
    assert found is not None
    frame = pd.DataFrame(np.ones((3, len(MOE))), columns=MOE)
    frame.loc[1, "topk"] = 0
    with pytest.raises(TableError, match=r"row 1, column 'topk': a size must be .* Got '0'\."):
        found.matrix(frame)
    frame.loc[1, "topk"] = 1e9
    with pytest.raises(TableError, match=r"above 0, at most 1e\+08\. Got '1000000000'"):
        found.matrix(frame)
