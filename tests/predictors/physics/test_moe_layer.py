import numpy as np
import pytest

from predictors.physics import recognise
from predictors.physics.moe_layer import CIRCUMSTANCES, WORK, busiest_device, derive


def row(**roles: object) -> dict[str, float]:
    values = {name: np.array([value]) for name, value in roles.items()}
    return dict(zip((*WORK, *CIRCUMSTANCES), derive(values)[0], strict=True))


def test_a_token_of_one_dense_expert_by_hand() -> None:
    # Three matrices of 1000 x 2000 in two bytes: 12 MB; 2 x 6 million FLOPs for each of 8 tokens.
    found = row(tokens=8, hidden=1000, width=2000, experts=1)
    assert found["moe_weights_mb"] == 12
    assert found["moe_gflops"] == pytest.approx(8 * 12e6 / 1e9)
    assert found["moe_activations_mb"] == pytest.approx(2 * 8 * 6000 / 1e6)
    assert (found["moe_experts_touched"], found["moe_tokens_per_expert"]) == (1, 8)
    assert found["moe_tokens_mb"] == found["moe_dispatch_mb"] == pytest.approx(2 * 8 * 1000 / 1e6)


def test_parallel_devices_share_width_and_experts() -> None:
    alone = row(tokens=64, hidden=1024, width=512, top_k=2, experts=8, routing="balanced")
    split = row(
        tokens=64,
        hidden=1024,
        width=512,
        top_k=2,
        experts=8,
        routing="balanced",
        tensor_parallel=2,
        expert_parallel=4,
    )
    assert (alone["moe_experts_touched"], split["moe_experts_touched"]) == (8, 2)
    assert split["moe_weights_mb"] == pytest.approx(alone["moe_weights_mb"] / 8)
    assert split["moe_tokens_mb"] == alone["moe_tokens_mb"]  # every device sees all tokens


@pytest.mark.parametrize(("width", "odd"), [(512, 0), (44, 1), (464, 0), (232, 1)])
def test_widths_that_are_no_multiple_of_sixteen(width: int, odd: int) -> None:
    assert row(tokens=1, hidden=64, width=width, experts=2)["moe_misaligned"] == odd


@pytest.mark.parametrize(
    ("tokens", "n_devices", "expected"),
    [(1, 1, (2, 2)), (3, 1, (6, 6)), (100, 1, (8, 200)), (3, 4, (2, 2)), (1, 8, (1, 1))],
)
def test_balanced_routing_deals_tokens_out(
    tokens: int, n_devices: int, expected: tuple[int, int]
) -> None:
    # Two of eight experts for each token.
    assert busiest_device(tokens, 2, 8, n_devices, "balanced") == expected


@pytest.mark.parametrize(("tokens", "top_k", "n_experts"), [(1, 4, 8), (5, 2, 8), (40, 6, 160)])
def test_the_experts_of_a_token_are_distinct(tokens: int, top_k: int, n_experts: int) -> None:
    touched, routed = busiest_device(tokens, top_k, n_experts, 1, "whatever")
    assert routed == tokens * top_k
    rng = np.random.default_rng(0)
    drawn = [
        len({x for _ in range(tokens) for x in rng.permutation(n_experts)[:top_k]})
        for _ in range(400)
    ]
    assert touched == pytest.approx(np.mean(drawn), rel=0.02)
    assert touched == pytest.approx(n_experts * (1 - (1 - top_k / n_experts) ** tokens))


def test_the_columns_of_an_earlier_predictor_are_as_they_were() -> None:
    roles = {"tokens": 5, "hidden": 64, "width": 40, "top_k": 2, "experts": 8}
    values = {name: np.array([value]) for name, value in roles.items()}
    earlier = derive(values, version=1)[0]
    touched = 8 * (1 - (7 / 8) ** 10)
    expert_mb = 6 * 64 * 40 / 1e6
    expected = [6 * 10 * 64 * 40 / 1e9, touched * expert_mb, 2 * 10 * (2 * 64 + 3 * 40) / 1e6]
    expected += [touched, 2 * 10 * 64 / 1e6, 2 * 5 * 64 / 1e6, 10 / touched, expert_mb, 1, 0]
    assert earlier.tolist() == pytest.approx(expected)


def test_a_measured_number_of_touched_experts_is_taken() -> None:
    common = {"tokens": 16, "hidden": 64, "width": 32, "top_k": 2, "experts": 8}
    derived = row(**common, touched=3)
    assert derived["moe_experts_touched"] == 3
    assert derived["moe_weights_mb"] == pytest.approx(3 * 6 * 64 * 32 / 1e6)
    assert row(**common, touched=30)["moe_experts_touched"] == 8  # there are no more


def test_shared_experts_serve_every_token_and_are_always_read() -> None:
    common = {"tokens": 16, "hidden": 64, "width": 32, "experts": 8}
    alone, two = row(**common), row(**common, shared_experts=2)
    assert two["moe_weights_mb"] - alone["moe_weights_mb"] == pytest.approx(2 * 6 * 64 * 32 / 1e6)
    assert two["moe_gflops"] == pytest.approx(3 * alone["moe_gflops"])
    assert row(**common, shared_width=64) == two
    assert row(**common, shared_experts=0) == alone


def test_layers_multiply_the_work_and_each_has_a_price() -> None:
    common = {"tokens": 16, "hidden": 64, "width": 40, "experts": 8}
    one, six = row(**common), row(**common, layers=6)
    summed = [name for name in WORK if name != "moe_further_layers"]
    assert [six[name] for name in summed] == pytest.approx([6 * one[name] for name in summed])
    assert (one["moe_further_layers"], six["moe_further_layers"]) == (0, 5)
    assert six["moe_misaligned_mb"] == six["moe_weights_mb"]
    assert [six[name] for name in CIRCUMSTANCES] == [one[name] for name in CIRCUMSTANCES]


def test_two_depths_of_one_layer_are_one_architecture() -> None:
    columns = ["num_tokens", "hidden_size", "inter_size", "num_experts", "num_layers"]
    physics = recognise(columns)
    assert physics is not None
    assert physics.architecture == ("hidden_size", "inter_size", "num_experts")


def test_skew_touches_fewer_experts_and_loads_the_busiest_device_more() -> None:
    even, mild, strong = (
        busiest_device(64, 2, 64, 8, text) for text in ("random", "power_law_1.01", "zipf 2.5")
    )
    assert even[1] < min(mild[1], strong[1])
    # Zipf's law with exponent 1 over three experts: shares 6/11, 3/11 and 2/11.
    touched, _ = busiest_device(4, 1, 3, 1, "zipf 1")
    assert touched == pytest.approx(sum(1 - (1 - share / 11) ** 4 for share in (6, 3, 2)))
    alone = [busiest_device(64, 2, 64, 1, text)[0] for text in ("random", "power_law_1.01")]
    assert alone[1] < alone[0]
    found = row(tokens=4, hidden=64, width=64, experts=8, routing="power_law_1.2")
    assert found["moe_skew"] == 1.2
