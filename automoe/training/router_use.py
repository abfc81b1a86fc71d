"""This module sums up how the routers of a model use their experts.

Legend: T tokens, N experts.
"""

from collections import defaultdict

import torch
from torch import Tensor

from automoe.architecture.architecture import Architecture
from automoe.supernet import Output, Routing
from automoe.text import Corpus
from automoe.training.data import TrainingData
from automoe.training.loss import summed_loss
from automoe.training.model_folder import TrainedModel

_MAX_TOKENS = 4096  # tokens of a batch


class RouterUse:
    """The load and the entropy of the sparse layers of one architecture, over batches.

    Args:
        architecture: The architecture whose outputs are added.
    """

    def __init__(self, architecture: Architecture) -> None:
        stacks = (("encoder", architecture.encoder), ("decoder", architecture.decoder))
        layers = [
            f"{name}.{index}"
            for name, stack in stacks
            for index, layer in enumerate(stack.layers)
            if layer.is_sparse
        ]
        self._layers = {layer: _LayerUse() for layer in layers}

    def add(self, output: Output) -> None:
        """Add the decisions of one batch; padding does not count."""
        for use, routing in zip(self._layers.values(), output.routing, strict=True):
            use.add(routing)

    def figures(self) -> dict[str, float]:
        """Return the figures of each sparse layer, by the layer's name and the figure's.

        ``load.E`` is the share of tokens that expert E serves. ``entropy`` is the mean entropy of
        a token's router probabilities, in nats: 0 when the router is sure of one expert, and at
        most the logarithm of the number of experts.
        """
        return {
            f"{layer}/{name}": value
            for layer, use in self._layers.items()
            for name, value in use.figures().items()
        }

    def loads(self) -> dict[str, list[float]]:
        """Return the share of tokens that each expert serves, by the name of the sparse layer.

        A name is that of the stack and the number of the layer from 1, such as "encoder 2".
        """
        shares = {}
        for layer, use in self._layers.items():
            stack, index = layer.split(".")
            shares[f"{stack} {int(index) + 1}"] = use.shares()
        return shares


def expert_load(
    trained: TrainedModel, corpus: Corpus, *, max_sentence: int
) -> dict[str, list[float]]:
    """Return how a stand-alone model loads its experts on the valid split, see `loads`.

    Args:
        trained: The model.
        corpus: The corpus whose valid split is read.
        max_sentence: The number of tokens of the longest sentence that counts.
    """
    architecture = trained.model.config.architecture
    use = RouterUse(architecture)
    if any(
        layer.is_sparse
        for stack in (architecture.encoder, architecture.decoder)
        for layer in stack.layers
    ):
        data = TrainingData.prepare(corpus, trained.vocabulary, max_sentence=max_sentence)
        summed_loss(trained.model, data.validation_batches(_MAX_TOKENS), on_output=use.add)
    return use.loads()


class _LayerUse:
    """The sums of one layer."""

    def __init__(self) -> None:
        self._served: defaultdict[int, int] = defaultdict(int)
        self._entropy = 0.0
        self._n_tokens = 0

    def add(self, routing: Routing) -> None:
        for expert, n_served in enumerate(routing.tokens_per_expert.tolist()):
            self._served[expert] += n_served
        probability_TN: Tensor = routing.probability_TN[routing.counted_T].detach().float()
        self._entropy += float(torch.special.entr(probability_TN).sum())
        self._n_tokens += len(probability_TN)

    def shares(self) -> list[float]:
        n_served = sum(self._served.values())
        return [n / n_served for _, n in sorted(self._served.items())]

    def figures(self) -> dict[str, float]:
        if not self._n_tokens:
            return {}
        load = {f"load.{expert}": share for expert, share in enumerate(self.shares())}
        return {**load, "entropy": self._entropy / self._n_tokens}
