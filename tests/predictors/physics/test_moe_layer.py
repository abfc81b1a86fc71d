import numpy as np
import pytest

from predictors.physics.moe_layer import CIRCUMSTANCES, WORK, busiest_device, derive


def row(**roles: object) -> dict[str, float]:
    values = {name: np.array([value]) for name, value in roles.items()}
    return dict(zip((*WORK, *CIRCUMSTANCES), derive(values)[0], strict=True))


def test_a_token_of_one_dense_expert_by_hand() -> None:
    # Three matrices of 1000 x 2000 in two bytes: 12 MB; 2 x 6 million FLOPs for each of 8 tokens.
    found = row(tokens=8, hidden=1000, width=2000, experts=1)
    assert found["moe_weights_mb"] == 12
    assert found["moe_gflops"] == pytest.approx(8 * 12e6 / 1e9)
    assert found["moe_activations_mb"] == pytest.approx(2 * 8 * (2000 + 6000) / 1e6)
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


def test_random_routing_touches_what_balls_fill_of_bins() -> None:
    touched, routed = busiest_device(5, 2, 8, 1, "whatever")
    assert touched == pytest.approx(8 * (1 - (7 / 8) ** 10))
    assert routed == 10
    rng = np.random.default_rng(0)
    drawn = [len(set(rng.integers(0, 8, 10))) for _ in range(4000)]
    assert touched == pytest.approx(np.mean(drawn), abs=0.05)


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
