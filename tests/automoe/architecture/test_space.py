from importlib.resources import files
from itertools import product
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace, SpaceError
from automoe.architecture.space_files import PRESETS


@pytest.mark.parametrize(
    ("max_experts", "fractional", "count"),
    [
        (1, False, 4.178e14),
        (2, False, 1.69e18),
        (2, True, 6.86e21),
        (4, False, 6.86e21),
        (4, True, 6.82e33),
        (6, False, 8.88e23),
        (6, True, 2.20e45),
        (16, False, 1.15e29),
        (16, True, 4.0e102),
    ],
)
def test_counts_published_spaces(max_experts: int, fractional: bool, count: float) -> None:
    for name in PRESETS[:4]:
        space = SearchSpace.preset(name, max_experts=max_experts, fractional=fractional)
        assert float(space.count) == pytest.approx(count, rel=0.006)


def test_count_agrees_with_enumeration() -> None:
    space = SearchSpace.model_validate(
        {
            "name": "small",
            "qkv_dim": 8,
            "vocab_size": 9,
            "encoder": {"embed_dim": [8, 4], "layers": [1], "heads": [2, 1], "ffn_dim": [4, 8]},
            "decoder": {
                "embed_dim": [8],
                "layers": [1, 2],
                "heads": [1],
                "ffn_dim": [4, 8],
                "cross_heads": [1, 2],
                "cross_span": [1],
            },
            "max_experts": 2,
            "fractional": True,
        }
    )
    experts = [(4,), (8,), *product((4, 8), (4, 8))]
    encoder_layers = list(product((1, 2), experts))
    decoder_layers = list(product((1,), experts, (1, 2)))
    encoders = list(product((8, 4), encoder_layers))
    decoders = decoder_layers + list(product(decoder_layers, decoder_layers))
    assert space.count == len(encoders) * len(decoders)


@given(seed=st.integers(0, 10_000), name=st.sampled_from(PRESETS), fractional=st.booleans())
def test_children_are_in_the_space_and_parents_untouched(
    seed: int, name: str, fractional: bool
) -> None:
    space = SearchSpace.preset(name, max_experts=6, fractional=fractional)
    rng = Random(seed)
    left, right = space.sample(rng), space.sample(rng)
    before = left.to_json(), right.to_json()
    for child in (
        space.mutate(left, rng, probability=0.3),
        space.crossover(left, right, rng),
        space.smallest(),
        space.largest(),
    ):
        space.check(child)
    assert (left.to_json(), right.to_json()) == before


def test_names_a_width_the_space_does_not_have(sparse: Architecture) -> None:
    space = SearchSpace.preset("tiny").model_copy(update={"qkv_dim": 16})
    with pytest.raises(
        SpaceError, match=r"'encoder.embed_dim' must be one of \[160, 128\].*Got 24"
    ):
        space.check(sparse)


def test_names_mixed_widths_in_a_standard_space() -> None:
    standard = SearchSpace.preset("tiny", max_experts=4)
    fractional = SearchSpace.preset("tiny", max_experts=4, fractional=True)
    rng = Random(1)
    mixed = next(
        a
        for a in (fractional.sample(rng) for _ in range(100))
        if len(set(a.encoder.layers[0].experts)) > 1
    )
    with pytest.raises(SpaceError, match="must have one width in 'tiny'"):
        standard.check(mixed)


def test_unknown_space_lists_the_presets() -> None:
    with pytest.raises(SpaceError, match="Unknown space 'wmt20'. Presets: wmt14-en-de, wmt14"):
        SearchSpace.load("wmt20")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("qkv_dim:", "qkv_dims:", "unknown key 'qkv_dims'"),
        ("layers: [3]\n", "layers: []\n", "'encoder.layers': .*at least 1 item.* Got \\[\\]"),
        ("layers: [3]\n", "layers: [999999999]\n", "'encoder.layers.0': .*equal to 100. Got 9"),
        ("qkv_dim: 128", f"qkv_dim: {10**400}", "'qkv_dim': .*equal to 1000000000. Got 10"),
        ("qkv_dim: 128", "qkv_dim: 128\nmax_experts: 10000", "'max_experts': .* equal to 1000."),
        ("heads: [4, 2]", "heads: [4, 3]", "heads must divide qkv_dim=128. Got 3"),
        ("cross_span: [3, 2, 1]", "cross_span: [4]", "at most the smallest number of encoder"),
        ("ffn_dim: [512,", "ffn_dim: ['512',", "'encoder.ffn_dim.0': .*valid integer. Got '512'"),
        ("name: tiny", "name: [", "not valid YAML"),
        ("heads: [4, 2]", "heads: [4, 2, 4]", "'encoder.heads': the choice 4 is repeated"),
    ],
)
def test_a_bad_file_is_named_with_its_field(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = files("automoe").joinpath("presets/tiny.yaml").read_text()
    path = tmp_path / "space.yaml"
    path.write_text(text.replace(old, new))
    with pytest.raises(SpaceError, match=f"space.yaml(, line 4)?: .*{message}"):
        SearchSpace.load(str(path))


def test_a_space_of_more_architectures_than_can_be_written_is_refused() -> None:
    assert len(str(SearchSpace.preset("tiny", max_experts=1000, fractional=True).count)) > 308
    with pytest.raises(SpaceError, match="more than 10.4200 architectures; use fewer experts"):
        SearchSpace.preset("wmt14-en-de", max_experts=1000, fractional=True)
    with pytest.raises(SpaceError, match="'max_experts': .*equal to 1000. Got 1001"):
        SearchSpace.preset("tiny", max_experts=1001)


def test_experts_below_one_are_refused() -> None:
    with pytest.raises(SpaceError, match="'max_experts' must be at least 1. Got 0"):
        SearchSpace.preset("tiny", max_experts=0)
