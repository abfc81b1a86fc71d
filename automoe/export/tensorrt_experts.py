"""This module writes sparse layers for TensorRT, whose shapes must not depend on the routing.

It uses neither NonZero nor control flow. Two forms compute the same, and the one that moves fewer
weights is written:

- *gathered*: each token gathers its expert's weights, padded to the widest expert, and multiplies
  them. Weights are read, written and read again for every token.
- *masked*: two products have the weights of all experts side by side. Between them the hidden
  units of other experts are set to zero. Every weight is read once, whatever the routing.

Legend: T tokens, D width, N experts, F width of the widest expert, H widths of all together.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from automoe.architecture.architecture import EncoderLayer
from automoe.export.graph import GraphBuilder

_PASSES = 3  # a Gather reads and writes each weight, and the product after it reads it again


def is_gathered(layer: EncoderLayer, n_tokens: int) -> bool:
    """Return whether gathering moves fewer weights than reading those of all experts."""
    return _PASSES * n_tokens * max(layer.experts) < sum(layer.experts)


def top_1(graph: GraphBuilder, logits_TN: str) -> tuple[str, str]:
    """Return each token's expert, as ``[T, 1]`` and as ``[T]``."""
    _, expert_T1 = graph.ops("TopK", logits_TN, graph.integers(1), n_outputs=2, axis=1)
    return expert_T1, graph.reshape(expert_T1, -1)


def serve_gathered(
    graph: GraphBuilder,
    x_TD: str,
    experts: tuple[str, str],
    layer: EncoderLayer,
    *,
    name: str,
    dim: int,
) -> str:
    """Serve ``[T, D]`` in the gathered form, with two batched products."""
    n, widest, (_, expert_T) = len(layer.experts), max(layer.experts), experts

    def own(part: str, *shape: int) -> str:
        stacked = graph.weight(f"{name}.experts.padded.{part}", n, *shape)
        return graph.op("Gather", stacked, expert_T, axis=0)

    x_TD1 = graph.reshape(x_TD, 0, dim, 1)
    hidden_TF1 = graph.op("MatMul", own("expand.weight", widest, dim), x_TD1)
    hidden_TF1 = graph.op("Relu", graph.op("Add", hidden_TF1, own("expand.bias", widest, 1)))
    out_TD1 = graph.op("MatMul", own("contract.weight", dim, widest), hidden_TF1)
    return graph.op("Add", graph.reshape(out_TD1, 0, dim), own("contract.bias", dim))


def serve_masked(
    graph: GraphBuilder,
    x_TD: str,
    experts: tuple[str, str],
    layer: EncoderLayer,
    *,
    name: str,
    dim: int,
) -> str:
    """Serve ``[T, D]`` in the masked form, with two products over all experts."""
    n, total, (expert_T1, expert_T) = len(layer.experts), sum(layer.experts), experts
    prefix = f"{name}.experts.joined"
    hidden_TH = graph.op("Relu", graph.linear(x_TD, f"{prefix}.expand", dim, total))
    widths = "_".join(map(str, layer.experts))
    owner_H = graph.constant(f"owner_{widths}", np.repeat(np.arange(n), layer.experts))
    is_own_TH = graph.op("Equal", expert_T1, owner_H)
    kept_TH = graph.op("Where", is_own_TH, hidden_TH, graph.scalar(0.0))
    contract_HD = graph.weight(f"{prefix}.contract.weight", total, dim)
    out_TD = graph.op("MatMul", *graph.quantised(kept_TH, contract_HD, outputs=1))
    bias_ND = graph.weight(f"{prefix}.contract.bias", n, dim)
    return graph.op("Add", out_TD, graph.op("Gather", bias_ND, expert_T, axis=0))


def stacked_experts(
    state: Mapping[str, NDArray[np.float32]], layer: EncoderLayer, name: str
) -> dict[str, NDArray[np.float32]]:
    """Return a sparse layer's weights for both forms; ``state`` holds them by expert."""
    widest = max(layer.experts)

    def of_each(part: str) -> list[NDArray[np.float32]]:
        return [state[f"{name}.experts.{i}.{part}"] for i in range(len(layer.experts))]

    def padded(arrays: list[NDArray[np.float32]], axis: int) -> NDArray[np.float32]:
        def pad(array: NDArray[np.float32]) -> NDArray[np.float32]:
            room = [(0, widest - n if i == axis else 0) for i, n in enumerate(array.shape)]
            return np.pad(array, room)

        return np.stack([pad(array) for array in arrays])

    expand, contract = of_each("expand.weight"), of_each("contract.weight")
    bias, last = of_each("expand.bias"), np.stack(of_each("contract.bias"))
    return {
        f"{name}.experts.padded.expand.weight": padded(expand, 0),
        f"{name}.experts.padded.expand.bias": padded(bias, 0)[:, :, None],
        f"{name}.experts.padded.contract.weight": padded(contract, 1),
        f"{name}.experts.padded.contract.bias": last,
        f"{name}.experts.joined.expand.weight": np.concatenate(expand),
        f"{name}.experts.joined.expand.bias": np.concatenate(bias),
        f"{name}.experts.joined.contract.weight": np.concatenate([x.T for x in contract]),
        f"{name}.experts.joined.contract.bias": last,
    }
