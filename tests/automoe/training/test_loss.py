import math

import pytest
import torch

from automoe.supernet import Output, Transformer, TransformerConfig
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


def test_distillation_from_itself_is_the_entropy(logits: torch.Tensor) -> None:
    entropy = torch.distributions.Categorical(logits=logits).entropy()
    expected = float(entropy[TARGET != PAD].sum())
    loss = distillation_loss(Output(logits, ()), logits, TARGET)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_validation_does_not_depend_on_batching(space, data: TrainingData) -> None:  # type: ignore[no-untyped-def]
    model = Transformer(TransformerConfig.for_space(space)).train()
    one, several = (validation_loss(model, data.validation_batches(n)) for n in (4000, 60))
    assert one == pytest.approx(several, rel=1e-5)
    assert model.training


def test_no_batch_is_an_error(space) -> None:  # type: ignore[no-untyped-def]
    model = Transformer(TransformerConfig.for_space(space))
    with pytest.raises(ValueError, match="'batches' must hold at least one batch"):
        validation_loss(model, [])
