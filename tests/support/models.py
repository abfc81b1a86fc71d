"""Inputs that several tests of models use."""

import torch


def tokens(rng: torch.Generator, *lengths: int, vocab_size: int = 50) -> torch.Tensor:
    """Random tokens, padded with zeros to the longest of ``lengths``."""
    batch = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    for row, length in zip(batch, lengths, strict=True):
        row[:length] = torch.randint(4, vocab_size, (length,), generator=rng)
    return batch


def randomise_norms(model: torch.nn.Module, rng: torch.Generator) -> None:
    """Norms start as ones and zeros, which would hide a wrong slice."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name or name.endswith("bias"):
                weight.copy_(torch.randn(weight.shape, generator=rng) * 0.2 + ("norm.w" in name))
