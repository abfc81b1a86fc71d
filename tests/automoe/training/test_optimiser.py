import torch
from torch import nn

from automoe.training.checkpoint import optimiser_state, restore_optimiser
from automoe.training.optimiser import adam


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.ModuleDict({"used": nn.Linear(5, 3), "sometimes": nn.Linear(5, 3)})


def step(of: nn.Module, optimiser: torch.optim.Optimizer, update: int) -> None:
    """The second layer has a gradient in every other update, as a layer of a supernet."""
    rng = torch.Generator().manual_seed(update)
    x = torch.randn(4, 5, generator=rng)
    layers = [of["used"], *([of["sometimes"]] if update % 2 else [])]
    sum(layer(x).pow(2).sum() for layer in layers).backward()
    optimiser.step()
    optimiser.zero_grad()


def plain_adam(of: nn.Module) -> torch.optim.Adam:
    """The optimiser of 0.1.0."""
    return torch.optim.Adam(of.parameters(), lr=0.1, betas=(0.9, 0.98), eps=1e-8)


def test_it_steps_like_plain_adam() -> None:
    ours, theirs = model(), model()
    optimisers = adam(ours, learning_rate=0.1), plain_adam(theirs)
    for update in range(20):
        for of, optimiser in zip((ours, theirs), optimisers, strict=True):
            step(of, optimiser, update)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=1e-4, atol=1e-5)


def test_a_state_of_plain_adam_goes_on() -> None:
    theirs, ours = model(), model()
    before, after = plain_adam(theirs), adam(ours, learning_rate=0.1)
    for update in range(5):
        step(theirs, before, update)
    ours.load_state_dict(theirs.state_dict())
    state = optimiser_state(before, {id(p): name for name, p in theirs.named_parameters()})
    copied = {name: value.clone() for name, value in state.items()}
    restore_optimiser(after, copied, {id(p): name for name, p in ours.named_parameters()})
    for update in range(5, 10):
        step(theirs, before, update)
        step(ours, after, update)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=1e-4, atol=1e-5)


def test_a_weight_without_a_gradient_stays_as_it_is() -> None:
    ours = model()
    optimiser = adam(ours, learning_rate=0.1)
    before = ours["sometimes"].weight.clone()
    step(ours, optimiser, 0)
    assert torch.equal(ours["sometimes"].weight, before)
    assert ours["sometimes"].weight not in optimiser.state
