import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from automoe.architecture.architecture import Architecture, ArchitectureError


def test_survives_a_trip_through_json(sparse: Architecture) -> None:
    assert Architecture.from_json(sparse.to_json()) == sparse


def test_id_depends_on_content_alone(sparse: Architecture) -> None:
    copy = Architecture.from_json(json.dumps(json.loads(sparse.to_json()), indent=4))
    assert copy.id == sparse.id
    assert replace(sparse, qkv_dim=32).id != sparse.id


def test_cannot_be_changed(sparse: Architecture) -> None:
    with pytest.raises(FrozenInstanceError):
        sparse.qkv_dim = 8  # type: ignore[misc]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("encoder", "embed_dim"), "512", r"'encoder.embed_dim' must be a whole number. Got '512'"),
        (("encoder", "embed_dim"), 0, r"'encoder.embed_dim' must be at least 1. Got 0"),
        (("encoder", "embed_dim"), 10**400, r"'encoder.embed_dim' must be at most 10{9}. Got 10"),
        (("encoder", "layers"), [], r"'encoder.layers' must hold at least one layer"),
        (("encoder", "layers", 0, "heads"), 3, r"layers\[0\].heads' must divide qkv_dim=16. Got 3"),
        (("encoder", "layers", 0, "experts"), [], r"experts' must list at least one width"),
        (("encoder", "layers", 0, "experts"), [True], r"must be a whole number. Got True"),
        (("decoder", "layers", 0, "cross_span"), 3, r"at most the number of encoder layers \(2\)"),
        (("decoder", "layers", 0, "depth"), 3, r"has an unknown key 'depth'. Known keys: cross_h"),
        (("width",), 3, r"'architecture' has an unknown key 'width'"),
        (("schema_version",), 9, r"'schema_version' must be 1. Got 9; upgrade"),
    ],
)
def test_refuses_a_wrong_field(
    sparse: Architecture, path: tuple[Any, ...], value: object, message: str
) -> None:
    content = sparse.to_dict()
    *parents, last = path
    target: Any = content
    for key in parents:
        target = target[key]
    target[last] = value
    with pytest.raises(ArchitectureError, match=message):
        Architecture.from_dict(content)


def test_names_a_missing_key(sparse: Architecture) -> None:
    content = sparse.to_dict()
    del content["decoder"]["layers"][1]["cross_heads"]
    with pytest.raises(ArchitectureError, match=r"decoder.layers\[1\]' lacks the key 'cross_heads"):
        Architecture.from_dict(content)


def test_names_what_is_not_json() -> None:
    with pytest.raises(ArchitectureError, match="not valid JSON"):
        Architecture.from_json("{")
