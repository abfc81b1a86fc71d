"""This module reads the search spaces that HAT and AutoMoE publish (`space0.yml`).

Such a file holds the options of a whole training, and a `-choice` list for each dimension. AutoMoE
gives the numbers of experts there too, or on its command line.
"""

from collections.abc import Mapping
from typing import Any

from automoe.architecture.hat_subnet import SPAN_OF_HAT
from devices.yaml_json import FileContentError

_STACKS = {
    "encoder": {
        "embed_dim": "encoder-embed-choice",
        "layers": "encoder-layer-num-choice",
        "heads": "encoder-self-attention-heads-choice",
        "ffn_dim": "encoder-ffn-embed-dim-choice",
    },
    "decoder": {
        "embed_dim": "decoder-embed-choice",
        "layers": "decoder-layer-num-choice",
        "heads": "decoder-self-attention-heads-choice",
        "cross_heads": "decoder-ende-attention-heads-choice",
        "ffn_dim": "decoder-ffn-embed-dim-choice",
    },
}
_SPAN_KEY = "decoder-arbitrary-ende-attn-choice"
# The files lack the size of the vocabulary and the length of the sentence that is timed, unless
# the user adds `vocab-size`, `src-len` and `tgt-len`. HAT times 30 tokens for WMT and 23 for IWSLT,
# and its vocabularies have about these sizes.
_TASKS = {"iwslt": (10_000, 23), "en_fr": (40_000, 30), "": (32_768, 30)}
# A space has no field for these switches, so only one value of each can be read.
_ONLY_VALUE = {
    "num-experts-to-route": ([1], "only top-1 routing can be read"),
    "std-vs-dummy-experts": ([1], "identity experts cannot be read"),
    "drop-mha-sublayer": ([1], "dropped sublayers cannot be read"),
    "drop-ffn-sublayer": ([1], "dropped sublayers cannot be read"),
}


def is_space_yaml(content: Mapping[str, Any]) -> bool:
    """Return whether parsed YAML has a key of a HAT or AutoMoE search space."""
    return any(key.endswith("-choice") for key in content)


def fields_of_space(content: Mapping[str, Any], *, name: str, where: str) -> dict[str, Any]:
    """Return the fields of a `SearchSpace` from a file of HAT or AutoMoE.

    Args:
        content: The parsed file.
        name: The name of the space.
        where: The file, with which every message begins.

    Raises:
        FileContentError: A key is missing, or has a value that a space cannot have. The message
            names the file, the key and the value.
    """
    try:
        return _fields(content, name)
    except FileContentError as error:
        raise FileContentError(f"{where}: {error}") from None


def _fields(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    stacks: dict[str, dict[str, Any]] = {
        stack: {field: _value(content, key) for field, key in keys.items()}
        for stack, keys in _STACKS.items()
    }
    _require_known_choices(content)
    stacks["decoder"]["cross_span"] = [_span(value) for value in _list(content, _SPAN_KEY)]
    most = {stack: _most_experts(content, stack) for stack in stacks}
    for stack, experts in most.items():
        if experts < max(most.values()):
            stacks[stack]["max_experts"] = experts
    vocab_size, length = next(
        sizes for task, sizes in _TASKS.items() if task in f"{content.get('data', '')}"
    )
    return {
        "name": name,
        "qkv_dim": content.get("qkv-dim", 512),
        "vocab_size": content.get("vocab-size", vocab_size),
        "shared_embeddings": content.get("share-all-embeddings", False),
        "src_len": content.get("src-len", length),
        "tgt_len": content.get("tgt-len", length),
        "max_experts": max(most.values()),
        "fractional": _is_fractional(content, [x for x in stacks if most[x] > 1] or ["encoder"]),
        **stacks,
    }


def _require_known_choices(content: Mapping[str, Any]) -> None:
    """Check that no dimension of the space is left out, as it would be with a misspelled key."""
    known = {_SPAN_KEY, *(key for keys in _STACKS.values() for key in keys.values())}
    for key in content:
        if key.endswith("-choice") and key not in known:
            raise FileContentError(f"unknown key '{key}'. Remove it or correct its spelling.")


def _most_experts(content: Mapping[str, Any], stack: str) -> int:
    """Return the largest number of experts in a layer of a stack."""
    for name, (only, reason) in _ONLY_VALUE.items():
        value = content.get(f"{stack}-{name}", only)
        if value != only:
            raise FileContentError(f"'{stack}-{name}' must be {only}: {reason}. Got {value!r:.60}.")
    key = f"{stack}-n-experts"
    if key not in content:
        return 1
    counts = _list(content, key)
    if sorted(counts, key=str) != sorted(range(1, len(counts) + 1), key=str):
        raise FileContentError(f"'{key}' must hold every number from 1 on. Got {counts!r:.60}.")
    return len(counts)


def _is_fractional(content: Mapping[str, Any], stacks: list[str]) -> bool:
    """Return whether each expert has a width of its own: AutoMoE gives two values then."""
    keys = [f"{stack}-each-expert-ffn-dim" for stack in stacks]
    fractional = {key in content and len(_list(content, key)) > 1 for key in keys}
    if len(fractional) > 1:
        raise FileContentError(f"'{keys[0]}' and '{keys[1]}' must be the same.")
    return fractional.pop()


def _span(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value not in SPAN_OF_HAT:
        raise FileContentError(f"'{_SPAN_KEY}' must hold -1, 1 or 2. Got {value!r:.60}.")
    return SPAN_OF_HAT[value]


def _list(content: Mapping[str, Any], key: str) -> list[Any]:
    value = _value(content, key)
    if not isinstance(value, list) or not value:
        raise FileContentError(f"'{key}' must be a list. Got {value!r:.60}.")
    return value


def _value(content: Mapping[str, Any], key: str) -> Any:
    if key not in content:
        raise FileContentError(f"the key '{key}' is missing. Add it.")
    return content[key]
