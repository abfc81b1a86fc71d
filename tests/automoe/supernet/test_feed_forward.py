import pytest
import torch

from automoe.supernet.feed_forward import ExpertLayer
from automoe.supernet.routing import Routing


@pytest.fixture
def layer() -> ExpertLayer:
    torch.manual_seed(0)
    return ExpertLayer(8, (16, 16, 16), top_k=1, jitter=0.0).eval()


def test_top_1_output_is_scaled_by_its_probability(
    layer: ExpertLayer, torch_rng: torch.Generator
) -> None:
    x = torch.randn(2, 5, 8, generator=torch_rng)
    with torch.no_grad():
        out, routing = layer(x, (16, 8, 4), torch.ones(2, 5, dtype=torch.bool))
        assert routing is not None
        for i, token in enumerate(x.flatten(0, 1)):
            logits = layer.router.weight @ token + layer.router.bias
            chosen = int(logits.argmax())
            width = (16, 8, 4)[chosen]
            expert = layer.experts[chosen]
            hidden = torch.relu(expert.expand.weight[:width] @ token + expert.expand.bias[:width])
            expected = expert.contract.weight[:, :width] @ hidden + expert.contract.bias
            expected = expected * logits.softmax(0)[chosen]
            assert torch.allclose(out.flatten(0, 1)[i], expected, atol=1e-6)


def test_top_2_adds_both_experts(torch_rng: torch.Generator) -> None:
    both = ExpertLayer(8, (16, 16), top_k=2, jitter=0.0).eval()
    x = torch.randn(1, 4, 8, generator=torch_rng)
    with torch.no_grad():
        out, routing = both(x, (16, 16), torch.ones(1, 4, dtype=torch.bool))
        assert routing is not None
        parts = [both.experts[i](x[0], 16) * routing.probability_TN[:, i : i + 1] for i in (0, 1)]
    assert torch.allclose(out[0], parts[0] + parts[1], atol=1e-6)


def served_one_by_one(
    layer: ExpertLayer, x_MD: torch.Tensor, widths: tuple[int, ...], top_k: int
) -> torch.Tensor:
    """A loop over tokens and experts, which sorts nothing."""
    rows = []
    for token_D in x_MD:
        logits_N = layer.router.weight[: len(widths)] @ token_D + layer.router.bias[: len(widths)]
        probability_N = logits_N.softmax(0)
        row_D = torch.zeros_like(token_D)
        for chosen in logits_N.argsort(descending=True)[:top_k].tolist():
            expand, contract = layer.experts[chosen].expand, layer.experts[chosen].contract
            width = widths[chosen]
            hidden = torch.relu(expand.weight[:width] @ token_D + expand.bias[:width])
            served_D = contract.weight[:, :width] @ hidden + contract.bias
            row_D = row_D + probability_N[chosen] * served_D
        rows.append(row_D)
    return torch.stack(rows)


@pytest.mark.parametrize("top_k", [1, 2, 3])
@pytest.mark.parametrize("widths", [(16, 8, 4), (16, 12)])
def test_outputs_and_gradients_are_those_of_a_loop(
    top_k: int, widths: tuple[int, ...], torch_rng: torch.Generator
) -> None:
    torch.manual_seed(2)
    layer = ExpertLayer(8, (16, 16, 16), top_k=top_k, jitter=0.0)
    x = torch.randn(3, 7, 8, generator=torch_rng, requires_grad=True)
    weigh = torch.randn(3, 7, 8, generator=torch_rng)
    out, routing = layer(x, widths, torch.ones(3, 7, dtype=torch.bool))
    expected = served_one_by_one(layer, x.flatten(0, 1), widths, top_k).view_as(x)
    torch.testing.assert_close(out, expected)
    assert routing is not None
    assert len(set(routing.expert_TK[:, 0].tolist())) == len(widths)
    learned = [x, *layer.router.parameters(), *layer.experts[: len(widths)].parameters()]
    computed, looped = (torch.autograd.grad((y * weigh).sum(), learned) for y in (out, expected))
    for ours, theirs in zip(computed, looped, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_an_expert_without_tokens_has_no_gradient(torch_rng: torch.Generator) -> None:
    layer = ExpertLayer(8, (16, 16, 16), top_k=1, jitter=0.0)
    with torch.no_grad():
        layer.router.bias.copy_(torch.tensor([0.0, -100.0, 0.0]))
    x = torch.randn(2, 9, 8, generator=torch_rng)
    layer(x, (16, 16, 16), torch.ones(2, 9, dtype=torch.bool))[0].sum().backward()
    with_gradient = [
        all(weight.grad is not None for weight in expert.parameters()) for expert in layer.experts
    ]
    assert with_gradient == [True, False, True]


@pytest.mark.parametrize("top_k", [1, 2])
def test_half_precision_keeps_the_type_of_the_input(top_k: int, torch_rng: torch.Generator) -> None:
    layer = ExpertLayer(8, (16, 16), top_k=top_k, jitter=0.1)
    x = torch.randn(2, 20, 8, generator=torch_rng, requires_grad=True)
    counted = torch.ones(2, 20, dtype=torch.bool)
    layer.eval()
    exact, _ = layer(x, (16, 16), counted)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out, routing = layer(x, (16, 16), counted)
    assert routing is not None
    assert routing.logits_TN.dtype == out.dtype == torch.float32
    assert (out - exact).abs().max() < 0.02
    out.sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


def test_one_expert_is_dense(layer: ExpertLayer, torch_rng: torch.Generator) -> None:
    x = torch.randn(1, 4, 8, generator=torch_rng)
    out, routing = layer(x, (16,), torch.ones(1, 4, dtype=torch.bool))
    assert routing is None
    assert torch.equal(out, layer.experts[0](x, 16))


def test_jitter_only_while_training(torch_rng: torch.Generator) -> None:
    layer = ExpertLayer(8, (16, 16), top_k=1, jitter=0.5)
    x, counted = torch.randn(1, 9, 8, generator=torch_rng), torch.ones(1, 9, dtype=torch.bool)
    logits = [layer(x, (16, 16), counted)[1].logits_TN for _ in range(2)]
    assert not torch.equal(*logits)
    layer.eval()
    logits = [layer(x, (16, 16), counted)[1].logits_TN for _ in range(2)]
    assert torch.equal(*logits)


def test_experts_of_sparse_layers_alone_drop_hidden_units(torch_rng: torch.Generator) -> None:
    dropped = ExpertLayer(8, (400, 400), top_k=1, jitter=0.0, dropout=0.25)
    for expert in dropped.experts:  # the output is the mean of the hidden units, which are 1
        for name, value in (("expand", 0.0), ("contract", 1 / 400)):
            torch.nn.init.constant_(getattr(expert, name).weight, value)
        torch.nn.init.ones_(expert.expand.bias)
        torch.nn.init.zeros_(expert.contract.bias)
    x, counted = torch.randn(1, 50, 8, generator=torch_rng), torch.ones(1, 50, dtype=torch.bool)
    torch.manual_seed(0)
    out, routing = dropped(x, (400, 400), counted)
    assert routing is not None
    means = out[0, :, 0] / routing.probability_TN.max(dim=1).values
    # Each token draws its own: a mean of 400 times 4/3 or 0 has a deviation of 0.029.
    assert len(set(means.tolist())) > 20
    assert means.mean().item() == pytest.approx(1, abs=0.02)
    assert means.std().item() == pytest.approx((1 / 3 / 400) ** 0.5, rel=0.4)
    alone, _ = dropped(x, (400,), counted)
    torch.testing.assert_close(alone, torch.ones_like(alone))
    quiet, _ = dropped.eval()(x, (400, 400), counted)
    scale = routing.probability_TN.max(dim=1).values
    torch.testing.assert_close(quiet[0, :, 0], scale)


def routing(probability: list[list[float]], counted: list[bool] | None = None) -> Routing:
    probability_TN = torch.tensor(probability)
    expert_TK = probability_TN.argmax(dim=1, keepdim=True)
    counted_T = torch.tensor(counted or [True] * len(probability))
    return Routing(probability_TN, probability_TN.log(), expert_TK, counted_T)


@pytest.mark.parametrize("n_experts", [2, 3, 6])
def test_balanced_load_has_loss_one(n_experts: int) -> None:
    one_hot = torch.eye(n_experts).repeat(4, 1)
    assert routing(one_hot.tolist()).load_balancing_loss == pytest.approx(1)


def test_collapsed_load_has_loss_n() -> None:
    assert routing([[0.0, 1.0, 0.0]] * 5).load_balancing_loss == pytest.approx(3)


def test_load_by_hand_without_padding() -> None:
    decisions = routing([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.0, 1.0]], [True, True, True, False])
    assert decisions.tokens_per_expert.tolist() == [2, 1]
    mean = [(0.6 + 0.9 + 0.2) / 3, (0.4 + 0.1 + 0.8) / 3]
    assert decisions.load_balancing_loss == pytest.approx(2 * (2 / 3 * mean[0] + 1 / 3 * mean[1]))


def test_z_loss_by_hand() -> None:
    decisions = Routing(
        torch.tensor([[0.5, 0.5]]),
        torch.tensor([[1.0, 1.0]]),
        torch.tensor([[0]]),
        torch.tensor([True]),
    )
    assert decisions.z_loss == pytest.approx((1 + torch.log(torch.tensor(2.0)).item()) ** 2)
