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
    "expert_dim expert_size moe_ffn_hidden_size shard_intermediate_size",
    "top_k": "topk top_k k experts_per_token num_experts_per_tok num_experts_per_token "
    "moe_router_topk n_activated_experts",
    "experts": "num_experts n_experts experts num_local_experts n_routed_experts",
    "tensor_parallel": "moe_tp_size tp_size tp tensor_parallel tensor_parallel_size",
    "expert_parallel": "moe_ep_size ep_size ep expert_parallel expert_parallel_size",
    "touched": "experts_touched touched_experts n_experts_touched num_experts_touched "
    "activated_experts num_activated_experts distinct_experts unique_experts experts_hit",
    "shared_experts": "num_shared_experts n_shared_experts shared_experts",
    "shared_width": "shared_expert_intermediate_size shared_intermediate_size "
    "moe_shared_expert_intermediate_size shared_inter_size",
    "layers": "num_layers n_layers layers n_layer num_hidden_layers num_moe_layers n_moe_layers "
    "moe_layers",
    "routing": "distribution routing workload_distribution routing_distribution",
}
_REQUIRED = ("tokens", "hidden", "width", "experts")
ROLES = tuple(
    Role(
        name,
        tuple(names.split()),
        is_optional=name not in _REQUIRED,
        is_text=name == "routing",
        may_be_zero=name in ("shared_experts", "shared_width"),
    )
    for name, names in _NAMES.items()
)
# Not the number of layers: two depths of one layer have its efficiency in common.
ARCHITECTURE = ("hidden", "width", "top_k", "experts", "shared_experts", "shared_width")
WORK = (
    *("moe_gflops", "moe_weights_mb", "moe_activations_mb", "moe_experts_touched"),
    *("moe_dispatch_mb", "moe_tokens_mb"),
    *("moe_further_layers", "moe_misaligned_mb"),
)
LATER = ("moe_further_layers", "moe_misaligned_mb")  # not in 0.1.0
OVERLAP = (
    *("moe_gflops", "moe_weights_mb"),  # computing, and reading at the same time
    *("moe_activations_mb", "moe_dispatch_mb", "moe_tokens_mb"),  # moving
)
CIRCUMSTANCES = ("moe_tokens_per_expert", "moe_expert_mb", "moe_misaligned", "moe_skew")

_BYTES = 2
_ALIGNED = 16  # elements; tensor cores and 32-byte transactions need multiples of it
_DRAWS = 4
_POWER_LAW = re.compile(r"power[_ ]?law\D*(\d+(?:\.\d+)?)", re.I)
_ZIPF = re.compile(r"(?:zipf|skewed)\D*(\d+(?:\.\d+)?)", re.I)
_EVEN = frozenset({"balanced", "uniform", "even"})


def derive(roles: Mapping[str, NDArray[Any]], *, version: int = 2) -> NDArray[np.float64]:
    """Return the derived columns, shape (rows, len(WORK) + len(CIRCUMSTANCES)).

    Args:
        roles: The values of each role, each of shape (rows,).
        version: 1 gives the columns of 0.1.0, which took a token's experts as drawn with
            repetition and had no price for a layer.
    """
    tokens, hidden = roles["tokens"], roles["hidden"]
    ones = np.ones(len(tokens))
    top_k, layers = roles.get("top_k", ones), roles.get("layers", ones)
    sharing = roles.get("tensor_parallel", ones)
    width = roles["width"] / sharing
    shared = roles.get("shared_width", roles.get("shared_experts", 0 * ones) * roles["width"])
    shared_width = shared / sharing
    touched, routed = _loads(roles, top_k, is_distinct=version > 1)
    expert_mb = 3 * _BYTES * hidden * width / 1e6
    weights_mb = touched * expert_mb + 3 * _BYTES * hidden * shared_width / 1e6
    # The activation function runs on the rows of all tokens, also of those routed elsewhere.
    inner = tokens * top_k * width if version > 1 else routed * (width + 2 * hidden / 3)
    written = 3 * (inner + tokens * shared_width)
    work = [
        6 * hidden * (routed * width + tokens * shared_width) / 1e9,
        weights_mb,
        _BYTES * written / 1e6,
        touched,
        _BYTES * tokens * top_k * hidden / 1e6,
        _BYTES * tokens * hidden / 1e6,
    ]
    misaligned = np.asarray(width % _ALIGNED != 0, dtype=np.float64)
    circumstances = [
        routed / touched,
        expert_mb,
        misaligned,
        [_skew(str(text)) for text in _routing(roles)],
    ]
    further = [] if version == 1 else [layers - 1, weights_mb * layers * misaligned]
    return np.column_stack([*(each * layers for each in work), *further, *circumstances])


def _loads(
    roles: Mapping[str, NDArray[Any]], top_k: NDArray[np.float64], *, is_distinct: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the experts touched and the tokens computed on the busiest device, by row."""
    tokens, n_experts = roles["tokens"], roles["experts"]
    n_devices = roles.get("expert_parallel", np.ones(len(tokens)))
    columns = (tokens, top_k, n_experts, n_devices, _routing(roles))
    loads = [
        busiest_device(int(t), int(k), int(e), int(d), str(text), is_distinct=is_distinct)
        for t, k, e, d, text in zip(*columns, strict=True)
    ]
    touched, routed = np.array(loads).T
    if "touched" in roles:
        touched = np.minimum(roles["touched"], np.ceil(n_experts / n_devices))
    return touched, routed


def _routing(roles: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    return roles.get("routing", np.full(len(roles["tokens"]), "random", dtype=object))


@lru_cache(maxsize=100_000)
def busiest_device(
    tokens: int,
    top_k: int,
    n_experts: int,
    n_devices: int,
    routing: str,
    *,
    is_distinct: bool = True,
) -> tuple[float, float]:
    """Return the experts touched and the tokens computed on the device with most tokens.

    Both numbers are at least 1. Balanced routing distributes the tokens evenly. With a power law,
    the experts' tokens lie between 1 and 0.8 times all tokens with the density x ** -alpha, as in
    NVIDIA's aiconfigurator. By Zipf's law expert i expects a share proportional to i ** -alpha.
    The experts are distributed to the devices at random. Any other routing is uniformly random.
    The k experts of a token are distinct: of E experts E * (1 - (1 - k/E) ** tokens) are touched.
    """
    routed = tokens * top_k
    if routing.lower() in _EVEN:
        touched = np.ceil(min(n_experts, routed) / n_devices)
        return float(touched), float(np.ceil(routed / n_devices))
    shares = _shares(tokens, n_experts, routing)
    # An expert serves a token with this probability in each of so many trials.
    hit, trials = (_inclusion(shares, top_k), tokens) if is_distinct else (shares, routed)
    if n_devices == 1:
        return float(max(1.0, np.sum(1 - (1 - hit) ** trials))), float(routed)
    rng = np.random.default_rng(0)
    busiest = []
    for _ in range(_DRAWS):
        if is_distinct:
            counts = rng.binomial(tokens, rng.permutation(hit))
        else:
            counts = rng.multinomial(routed, rng.permutation(shares))
        by_device = [part for part in np.array_split(counts, n_devices) if part.size]
        most = max(by_device, key=lambda part: int(part.sum()))
        busiest.append((np.count_nonzero(most), most.sum()))
    touched, tokens_there = np.mean(busiest, axis=0)
    return float(max(1.0, touched)), float(max(1.0, tokens_there))


def _inclusion(shares: NDArray[np.float64], top_k: int) -> NDArray[np.float64]:
    """Return the probability that each expert is among the k distinct experts of a token.

    The probabilities are proportional to the shares, at most 1, and their sum is k.
    """
    hit = np.zeros(len(shares))
    is_open = shares > 0
    for _ in range(len(shares)):
        left = top_k - np.count_nonzero(hit == 1)
        if left <= 0 or not is_open.any():
            break
        hit[is_open] = left * shares[is_open] / shares[is_open].sum()
        if not (hit > 1).any():
            break
        is_open &= hit < 1
        hit = np.minimum(hit, 1.0)
    return np.minimum(hit, 1.0)


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
