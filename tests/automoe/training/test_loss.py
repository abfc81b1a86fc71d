import math

import pytest
import torch

from automoe.architecture.space import SearchSpace
from automoe.supernet import Output, Transformer, TransformerConfig
from automoe.supernet.routing import Routing
from automoe.text.special_tokens import PAD
from automoe.training import TrainingData, TrainingSettings, validation_loss
from automoe.training.loss import distillation_loss, training_loss

TARGET = torch.tensor([[5, 2, PAD], [4, 6, 2]])


@pytest.fixture
def logits(torch_rng: torch.Generator) -> torch.Tensor:
    return torch.randn(2, 3, 8, generator=torch_rng)


def test_label_smoothing_by_hand(logits: torch.Tensor) -> None:
    # (1 - eps) * -log p(target) + eps * mean over the vocabulary of -log p (Szegedy et al.)
    expected = 0.0
    for row in range(2):
        for position in range(3):
            token = int(TARGET[row, position])
            if token == PAD:
                continue
            scores = logits[row, position].tolist()
            log_sum = math.log(sum(math.exp(s) for s in scores))
            nll = [log_sum - s for s in scores]
            expected += 0.9 * nll[token] + 0.1 * sum(nll) / 8
    loss = training_loss(Output(logits, ()), TARGET, TrainingSettings())
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def routing(probability_TN: torch.Tensor) -> Routing:
    return Routing(
        probability_TN,
        probability_TN.log(),
        probability_TN.argmax(dim=1, keepdim=True),
        torch.ones(len(probability_TN), dtype=torch.bool),
    )


def test_routers_weigh_the_same_per_token(logits: torch.Tensor) -> None:
    # Shares (3/4, 1/4) and mean probabilities (0.6, 0.4) of two experts; log-sum-exp is 0.
    skewed = routing(torch.tensor([[0.8, 0.2], [0.7, 0.3], [0.6, 0.4], [0.3, 0.7]]))
    settings = TrainingSettings.of(balance_weight=0.5, z_weight=3.0)
    without = training_loss(Output(logits, ()), TARGET, settings)
    loss = training_loss(Output(logits, (skewed,)), TARGET, settings)
    expected = 0.5 * 2 * (0.75 * 0.6 + 0.25 * 0.4) * 5  # five tokens
    assert float(loss - without) == pytest.approx(expected, rel=1e-5)


def test_padding_changes_no_loss(logits: torch.Tensor) -> None:
    other = logits.clone()
    other[0, 2] = 50.0
    settings = TrainingSettings()
    assert torch.equal(
        training_loss(Output(logits, ()), TARGET, settings),
        training_loss(Output(other, ()), TARGET, settings),
    )
    assert torch.equal(
        distillation_loss(Output(logits, ()), logits, TARGET),
        distillation_loss(Output(other, ()), other, TARGET),
    )


def test_distillation_is_the_divergence_and_the_teachers_entropy(
    logits: torch.Tensor, torch_rng: torch.Generator
) -> None:
    teacher = torch.randn(logits.shape, generator=torch_rng)
    p, q = (torch.distributions.Categorical(logits=x) for x in (teacher, logits))
    cross_entropy = torch.distributions.kl_divergence(p, q) + p.entropy()
    loss = distillation_loss(Output(logits, ()), teacher, TARGET)
    assert float(loss) == pytest.approx(float(cross_entropy[TARGET != PAD].sum()), rel=1e-5)


def test_distillation_from_itself_is_the_entropy(logits: torch.Tensor) -> None:
    entropy = torch.distributions.Categorical(logits=logits).entropy()
    expected = float(entropy[TARGET != PAD].sum())
    loss = distillation_loss(Output(logits, ()), logits, TARGET)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_validation_does_not_depend_on_batching(
    space: SearchSpace, data: TrainingData, training: bool
) -> None:
    model = Transformer(TransformerConfig.for_space(space)).train(training)
    one, several = (validation_loss(model, data.validation_batches(n)) for n in (4000, 60))
    assert one == pytest.approx(several, rel=1e-5)
    assert model.training is training
    assert model.encoder[0].training is training


def test_no_batch_is_an_error(space: SearchSpace) -> None:
    model = Transformer(TransformerConfig.for_space(space))
    with pytest.raises(ValueError, match="'batches' must hold at least one batch"):
        validation_loss(model, [])
