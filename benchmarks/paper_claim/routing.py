"""This module counts which tokens each expert of a trained model serves, on the valid split.

Legend: B sentence pairs, T tokens, N experts, V pieces of the vocabulary.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from automoe.search.fitness.validation import validation_batches
from automoe.text import Corpus
from automoe.text.special_tokens import EOS
from automoe.training.model_folder import TrainedModel

_PIECES = 8
_FEWEST = 10  # a rarer piece says nothing


@torch.no_grad()
def routed(folder: Path, corpus: Corpus) -> dict[str, list[dict[str, Any]]]:
    """Return what the experts of each sparse layer of ``encoder`` and ``decoder`` serve.

    A layer has its number from 0, the tokens of each expert, and the pieces of each expert that
    go to it most often, with the share of the piece that it serves.
    """
    trained = TrainedModel.load(folder)
    model, architecture = trained.model, trained.model.config.architecture
    stacks = {"encoder": architecture.encoder, "decoder": architecture.decoder}
    places = [
        (name, place, len(layer.experts))
        for name, stack in stacks.items()
        for place, layer in enumerate(stack.layers)
        if layer.is_sparse
    ]
    n_pieces = trained.vocabulary.size
    counts = [torch.zeros(n_experts, n_pieces, dtype=torch.int64) for _, _, n_experts in places]
    batches = validation_batches(corpus, trained.vocabulary, supernet=folder)
    for batch in batches if places else []:
        output = model(batch.source_BS, batch.target_in_BT)
        for (name, _, _), routing, count_NV in zip(places, output.routing, counts, strict=True):
            token_BT = batch.source_BS if name == "encoder" else batch.target_in_BT
            _add(count_NV, routing.expert_TK[:, 0], token_BT.flatten(), routing.counted_T)
    layers: dict[str, list[dict[str, Any]]] = {name: [] for name in stacks}
    for (name, place, _), count_NV in zip(places, counts, strict=True):
        pieces = [_typical(count_NV, expert, trained) for expert in range(len(count_NV))]
        layers[name].append(
            {"layer": place, "tokens": count_NV.sum(dim=1).tolist(), "pieces": pieces}
        )
    return layers


def _add(count_NV: Tensor, expert_T: Tensor, token_T: Tensor, counted_T: Tensor) -> None:
    """Add the counted tokens of one batch in place."""
    places = expert_T[counted_T] * count_NV.shape[1] + token_T[counted_T]
    count_NV.view(-1).add_(torch.bincount(places, minlength=count_NV.numel()))


def _typical(count_NV: Tensor, expert: int, trained: TrainedModel) -> list[tuple[str, float]]:
    total_V = count_NV.sum(dim=0)
    share_V = count_NV[expert] / total_V.clamp(min=1)
    # Among equal shares the more frequent piece comes first.
    rank_V = torch.where(total_V >= _FEWEST, share_V + total_V / total_V.sum().clamp(min=1), -1.0)
    rank_V[: EOS + 1] = -1.0
    best = [int(piece) for piece in rank_V.topk(min(_PIECES, len(rank_V))).indices]
    return [
        (trained.vocabulary.decode([piece]), round(float(share_V[piece]), 3))
        for piece in best
        if rank_V[piece] > 0 and share_V[piece] > 0
    ]
