"""The search spaces of HAT and AutoMoE are read; the counts are those of the papers' authors."""

from pathlib import Path
from random import Random

import pytest

from automoe.architecture.architecture import ArchitectureError
from automoe.architecture.architecture_files import read_architecture
from automoe.architecture.space import SearchSpace, SpaceError

# The search space of HAT for WMT, in the words of its files.
HAT = """
arch: transformersuper_wmt_en_de
share-all-embeddings: True
data: data/binary/wmt16_en_de
adam-betas: (0.9, 0.98)
lr: 1e-7
qkv-dim: 512
encoder-embed-choice: [640, 512]
decoder-embed-choice: [640, 512]
encoder-ffn-embed-dim-choice: [3072, 2048, 1024]
decoder-ffn-embed-dim-choice: [3072, 2048, 1024]
encoder-layer-num-choice: [6]
decoder-layer-num-choice: [6, 5, 4, 3, 2, 1]
encoder-self-attention-heads-choice: [8, 4]
decoder-self-attention-heads-choice: [8, 4]
decoder-ende-attention-heads-choice: [8, 4]
decoder-arbitrary-ende-attn-choice: [-1, 1, 2]
"""


def _read(tmp_path: Path, text: str, **experts: int) -> SearchSpace:
    file = tmp_path / "space0.yml"
    file.write_text(text)
    return SearchSpace.load(str(file), **experts)


def test_hat_is_the_preset(tmp_path: Path) -> None:
    space = _read(tmp_path, HAT)
    assert space.count == SearchSpace.preset("wmt14-en-de").count
    assert f"{space.count:.3e}" == "4.178e+14"  # HAT's authors count so
    preset = SearchSpace.preset("wmt14-en-de")
    assert (space.name, space.vocab_size, space.src_len) == ("space0", 32768, 30)
    assert space.shared_embeddings is True
    assert (space.smallest(), space.largest()) == (preset.smallest(), preset.largest())


def test_iwslt_has_two_tables_and_shorter_sentences(tmp_path: Path) -> None:
    text = HAT.replace("share-all-embeddings: True", "").replace("wmt16_en_de", "iwslt14_de_en")
    space = _read(tmp_path, text)
    assert (space.vocab_size, space.src_len, space.shared_embeddings) == (10_000, 23, False)


def test_sizes_that_the_user_adds_count(tmp_path: Path) -> None:
    space = _read(tmp_path, f"{HAT}vocab-size: 600\nsrc-len: 9\ntgt-len: 8\n")
    assert (space.vocab_size, space.src_len, space.tgt_len) == (600, 9, 8)


def test_experts_of_automoe_are_read(tmp_path: Path) -> None:
    text = f"{HAT}encoder-n-experts: [1, 2]\ndecoder-n-experts: [1, 2]\n"
    assert f"{_read(tmp_path, text).count:.2e}" == "1.69e+18"
    fractional = "".join(f"{x}-each-expert-ffn-dim: [0, 1]\n" for x in ("encoder", "decoder"))
    assert f"{_read(tmp_path, text + fractional).count:.2e}" == "6.86e+21"


def test_experts_may_be_in_one_stack(tmp_path: Path) -> None:
    space = _read(tmp_path, f"{HAT}encoder-n-experts: [1, 2]\n")
    # Two heads and three widths and two counts of experts in each of six layers, and so on.
    assert space.count == 2 * 2 * (2 * 3 * 2) ** 6 * sum(36**depth for depth in range(1, 7))
    rng = Random(0)
    drawn = [space.sample(rng) for _ in range(20)]
    drawn += [space.mutate(each, rng, probability=0.5) for each in drawn]
    assert {len(layer.experts) for each in drawn for layer in each.encoder.layers} == {1, 2}
    assert {len(layer.experts) for each in drawn for layer in each.decoder.layers} == {1}
    largest = space.largest()
    assert {len(layer.experts) for layer in largest.encoder.layers} == {2}
    assert {len(layer.experts) for layer in largest.decoder.layers} == {1}
    for each in (*drawn, largest):
        space.check(each)
    with pytest.raises(SpaceError, match="decoder"):
        space.check(space.largest(experts=2))
    assert SearchSpace.model_validate(space.model_dump(mode="json")) == space
    assert "max_experts" not in SearchSpace.preset("tiny").model_dump()["decoder"]


def test_a_space_and_an_architecture_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "space0.yml"
    file.write_text(HAT)
    with pytest.raises(ArchitectureError, match="is a search space, not an architecture"):
        read_architecture(file)
    file.write_text("encoder-embed-dim-subtransformer: 512\n")
    with pytest.raises(SpaceError, match="is one architecture of HAT or AutoMoE, not a space"):
        SearchSpace.load(str(file))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("encoder-n-experts: [1, 4]", "'encoder-n-experts' must hold every number from 1 on"),
        ("encoder-n-experts: 2", "'encoder-n-experts' must be a list. Got 2"),
        ("encoder-ffn-choice: [64]", "unknown key 'encoder-ffn-choice'. Remove it or correct"),
        ("decoder-num-experts-to-route: [1, 2]", "only top-1 routing can be read"),
        ("encoder-embed-choice: [640]", "space0.yml, line 18: the key .* twice, first in line 8"),
    ],
)
def test_what_a_space_cannot_have_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        _read(tmp_path, f"{HAT}{line}\n")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("[-1, 1, 2]", "[0]", "'decoder-arbitrary-ende-attn-choice' must hold -1, 1 or 2. Got 0"),
        ("encoder-layer-num-choice: [6]", "", "the key 'encoder-layer-num-choice' is missing"),
        ("[640, 512]", "[640, 640]", "'encoder.embed_dim': the choice 640 is repeated"),
        ("[8, 4]", "[8, 3]", "heads must divide qkv_dim=512. Got 3"),
        ("qkv-dim: 512", "qkv-dim: wide", "'qkv_dim': .* integer"),
    ],
)
def test_wrong_choices_are_named(tmp_path: Path, before: str, after: str, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        _read(tmp_path, HAT.replace(before, after))
