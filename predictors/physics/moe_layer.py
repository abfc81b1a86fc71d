"""This module derives the work of a sparse feed-forward layer on the busiest of its devices.

The experts are gated feed-forward networks (three matrices) with two-byte weights. The work of
other kinds differs by a factor, which the price contains. The device with most tokens decides the
latency, because the others wait for it.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictors.physics.role import Role

_NAMES = {
    "tokens": "num_tokens n_tokens tokens token_count batch_tokens",
    "hidden": "hidden_size hidden_dim hidden d_model model_dim embed_dim",
    "width": "inter_size intermediate_size moe_intermediate_size inter inter_dim ffn_dim ffn_size "
    "expert_dim expert_size moe_ffn_hidden_size",
    "top_k": "topk top_k k experts_per_token",
    "experts": "num_experts n_experts experts num_local_experts",
    "tensor_parallel": "moe_tp_size tp_size tp tensor_parallel tensor_parallel_size",
    "expert_parallel": "moe_ep_size ep_size ep expert_parallel expert_parallel_size",
    "routing": "distribution routing workload_distribution routing_distribution",
}
_OPTIONAL = ("top_k", "tensor_parallel", "expert_parallel", "routing")
ROLES = tuple(
    Role(name, tuple(names.split()), is_optional=name in _OPTIONAL, is_text=name == "routing")
    for name, names in _NAMES.items()
)
ARCHITECTURE = ("hidden", "width", "top_k", "experts")
WORK = (
    *("moe_gflops", "moe_weights_mb", "moe_activations_mb", "moe_experts_touched"),
    *("moe_dispatch_mb", "moe_tokens_mb"),
)
CIRCUMSTANCES = ("moe_tokens_per_expert", "moe_expert_mb", "moe_misaligned", "moe_skew")

_BYTES = 2
_ALIGNED = 16  # elements; tensor cores and 32-byte transactions need multiples of it
_DRAWS = 4
_POWER_LAW = re.compile(r"power[_ ]?law\D*(\d+(?:\.\d+)?)", re.I)
_ZIPF = re.compile(r"(?:zipf|skewed)\D*(\d+(?:\.\d+)?)", re.I)
_EVEN = frozenset({"balanced", "uniform", "even"})


def derive(roles: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Return the derived columns, shape (rows, len(WORK) + len(CIRCUMSTANCES)).

    Args:
        roles: The values of each role, each of shape (rows,).
    """
    tokens, hidden, n_experts = roles["tokens"], roles["hidden"], roles["experts"]
    ones = np.ones(len(tokens))
    top_k = roles.get("top_k", ones)
    width = roles["width"] / roles.get("tensor_parallel", ones)
    n_devices = roles.get("expert_parallel", ones)
    routing = roles.get("routing", np.full(len(tokens), "random", dtype=object))
    loads = [
        busiest_device(int(t), int(k), int(e), int(d), str(text))
        for t, k, e, d, text in zip(tokens, top_k, n_experts, n_devices, routing, strict=True)
    ]
    touched, routed = np.array(loads).T
    expert_mb = 3 * _BYTES * hidden * width / 1e6
    return np.column_stack(
        [
            6 * routed * hidden * width / 1e9,
            touched * expert_mb,
            _BYTES * routed * (2 * hidden + 3 * width) / 1e6,
            touched,
            _BYTES * tokens * top_k * hidden / 1e6,
            _BYTES * tokens * hidden / 1e6,
            routed / touched,
            expert_mb,
            np.asarray(width % _ALIGNED != 0, dtype=np.float64),
            [_skew(str(text)) for text in routing],
        ]
    )


@lru_cache(maxsize=100_000)
def busiest_device(
    tokens: int, top_k: int, n_experts: int, n_devices: int, routing: str
) -> tuple[float, float]:
    """Return the experts touched and the tokens computed on the device with most tokens.

    Both numbers are at least 1. Balanced routing distributes the tokens evenly. With a power law,
    the experts' tokens lie between 1 and 0.8 times all tokens with the density x ** -alpha, as in
    NVIDIA's aiconfigurator. By Zipf's law expert i expects a share proportional to i ** -alpha.
    The experts are distributed to the devices at random. Any other routing is uniformly random:
    of E experts E * (1 - (1 - 1/E) ** (tokens * k)) are touched.
    """
    routed = tokens * top_k
    if routing.lower() in _EVEN:
        touched = np.ceil(min(n_experts, routed) / n_devices)
        return float(touched), float(np.ceil(routed / n_devices))
    shares = _shares(tokens, n_experts, routing)
    if n_devices == 1:
        return float(max(1.0, np.sum(1 - (1 - shares) ** routed))), float(routed)
    rng = np.random.default_rng(0)
    busiest = []
    for _ in range(_DRAWS):
        counts = rng.multinomial(routed, rng.permutation(shares))
        by_device = [part for part in np.array_split(counts, n_devices) if part.size]
        most = max(by_device, key=lambda part: int(part.sum()))
        busiest.append((np.count_nonzero(most), most.sum()))
    touched, tokens_there = np.mean(busiest, axis=0)
    return float(max(1.0, touched)), float(max(1.0, tokens_there))


def _skew(routing: str) -> float:
    """Return the exponent of a skewed routing, or 0 for any other routing."""
    exponent = _POWER_LAW.search(routing) or _ZIPF.search(routing)
    return float(exponent[1]) if exponent else 0.0


def _shares(tokens: int, n_experts: int, routing: str) -> NDArray[np.float64]:
    """Return the share of tokens that each expert expects."""
    alpha, most = _skew(routing), 0.8 * tokens
    if _ZIPF.search(routing):
        loads = np.arange(1, n_experts + 1) ** -alpha
        return np.asarray(loads / loads.sum())
    if not _POWER_LAW.search(routing) or most <= 1:
        return np.full(n_experts, 1 / n_experts)
    quantiles = (np.arange(n_experts) + 0.5) / n_experts
    if abs(alpha - 1) < 1e-9:
        loads = most**quantiles
    else:
        loads = ((most ** (1 - alpha) - 1) * quantiles + 1) ** (1 / (1 - alpha))
    return np.asarray(loads / loads.sum())
