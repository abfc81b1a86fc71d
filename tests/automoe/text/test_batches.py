from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import automoe.text.batches
from automoe.text import (
    Batch,
    Corpus,
    Pair,
    Pairs,
    Vocabulary,
    batches_per_epoch,
    encode_pairs,
    evaluation_batches,
    token_batches,
    training_batches,
)
from automoe.text.special_tokens import BOS, EOS, PAD

LONGEST = 12
some_pairs = st.lists(
    st.builds(
        lambda n_source, n_target: Pair((*range(4, 4 + n_source), EOS), (9,) * n_target),
        st.integers(0, LONGEST - 1),
        st.integers(0, LONGEST - 1),
    ),
    min_size=1,
    max_size=40,
)
budgets = st.integers(LONGEST, 80)
seeds = st.integers(0, 5)


@pytest.fixture
def pairs() -> list[Pair]:
    rng = Random(3)
    return [
        Pair((*[20 + index] * rng.randint(1, 9), EOS), (20 + index,) * rng.randint(0, 9))
        for index in range(50)
    ]


def padded_tokens(batch: Batch) -> int:
    return max(batch.source_BS.numel(), batch.target_in_BT.numel(), batch.target_out_BT.numel())


def rows(batches: Iterable[Batch]) -> list[tuple[int, ...]]:
    return [batch.rows for batch in batches]


def same(left: Batch, right: Batch) -> bool:
    return (
        left.rows == right.rows
        and torch.equal(left.source_BS, right.source_BS)
        and torch.equal(left.target_in_BT, right.target_in_BT)
        and torch.equal(left.target_out_BT, right.target_out_BT)
    )


def test_pads_both_sides_and_shifts_the_target() -> None:
    pairs = [Pair((8, 9, EOS), (4,)), Pair((7, EOS), (5, 6))]
    (batch,) = evaluation_batches(pairs, max_tokens=30)
    assert batch.rows == (0, 1)
    assert batch.source_BS.tolist() == [[8, 9, EOS], [7, EOS, PAD]]
    assert batch.target_in_BT.tolist() == [[BOS, 4, PAD], [BOS, 5, 6]]
    assert batch.target_out_BT.tolist() == [[4, EOS, PAD], [5, 6, EOS]]
    assert batch.target_in_BT.dtype == batch.source_BS.dtype == torch.int64
    assert batch.n_tokens == 5


@given(pairs=some_pairs, max_tokens=budgets, seed=seeds, epoch=seeds)
def test_every_pair_once_within_the_budget(
    pairs: list[Pair], max_tokens: int, seed: int, epoch: int
) -> None:
    batches = list(token_batches(pairs, max_tokens=max_tokens, seed=seed, epoch=epoch))
    assert sorted(chain(*rows(batches))) == list(range(len(pairs)))
    assert max(padded_tokens(batch) for batch in batches) <= max_tokens
    assert len(batches) == batches_per_epoch(pairs, max_tokens)


@given(pairs=some_pairs, max_tokens=budgets)
def test_evaluates_every_pair_once_within_the_budget(pairs: list[Pair], max_tokens: int) -> None:
    batches = list(evaluation_batches(pairs, max_tokens=max_tokens))
    assert sorted(chain(*rows(batches))) == list(range(len(pairs)))
    assert max(padded_tokens(batch) for batch in batches) <= max_tokens
    assert rows(batches) == rows(evaluation_batches(pairs, max_tokens=max_tokens))


@given(pairs=some_pairs, max_tokens=budgets, start_step=st.integers(0, 60))
def test_resumes_at_any_step(pairs: list[Pair], max_tokens: int, start_step: int) -> None:
    fresh = training_batches(pairs, max_tokens=max_tokens, seed=1)
    resumed = training_batches(pairs, max_tokens=max_tokens, seed=1, start_step=start_step)
    expected = list(islice(fresh, start_step, start_step + 5))
    assert len(expected) == 5
    for left, right in zip(expected, islice(resumed, 5), strict=True):
        assert same(left, right)


def test_training_goes_through_the_epochs(pairs: list[Pair]) -> None:
    n_batches = batches_per_epoch(pairs, 40)
    trained = islice(training_batches(pairs, max_tokens=40, seed=2), 3 * n_batches)
    epochs = (token_batches(pairs, max_tokens=40, seed=2, epoch=epoch) for epoch in range(3))
    assert rows(trained) == rows(chain(*epochs))


def test_resuming_builds_no_earlier_batch(
    pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[Batch] = []

    def batch(*given: Any) -> Batch:
        built.append(make(*given))
        return built[-1]

    make = automoe.text.batches._batch
    monkeypatch.setattr(automoe.text.batches, "_batch", batch)
    resumed = next(training_batches(pairs, max_tokens=40, seed=2, start_step=10_000))
    assert built == [resumed]


def test_arrays_and_objects_give_the_same_batches(pairs: list[Pair]) -> None:
    of_objects = token_batches(pairs, max_tokens=40, seed=1, epoch=0)
    of_arrays = token_batches(Pairs.of(pairs), max_tokens=40, seed=1, epoch=0)
    assert all(same(left, right) for left, right in zip(of_objects, of_arrays, strict=True))


def shaped(n_source: int, n_target: int) -> Pair:
    """A pair whose tensors have these lengths: the target counts with its BOS or EOS."""
    return Pair((*[5] * (n_source - 1), EOS), (9,) * (n_target - 1))


def n_padding(batch: Batch) -> int:
    """The number of PAD in the source and in the target."""
    return sum(int((tensor == PAD).sum()) for tensor in (batch.source_BS, batch.target_in_BT))


@pytest.mark.parametrize("seed", [0, 1])
def test_pairs_of_one_shape_share_a_batch(seed: int) -> None:
    mixed = [shaped(6, 2), shaped(6, 6), shaped(2, 6), shaped(6, 4)] * 4
    epoch = list(token_batches(mixed, max_tokens=24, seed=seed, epoch=0))
    assert [len(batch.rows) for batch in epoch] == [4] * 4
    assert sum(map(n_padding, epoch)) == 0


def test_a_batch_of_two_lengths_has_neighbours_in_both() -> None:
    mixed = [shaped(5, 10), shaped(10, 4), shaped(11, 4), shaped(5, 11)]
    epoch = evaluation_batches(mixed, max_tokens=22)
    # By hand: the pairs of length 10 end with a long source, and those of length 11 begin with one.
    assert [batch.rows for batch in epoch] == [(0,), (1, 2), (3,)]


@pytest.mark.parametrize(("n_target", "sizes"), [(2, [3, 2]), (19, [5])])
def test_a_batch_ends_early_where_it_saves_much_padding(n_target: int, sizes: list[int]) -> None:
    mixed = [shaped(20, 20)] * 3 + [shaped(20, n_target)] * 2
    # By hand: all five fit. Two targets are padded by 36 or 2; one more batch counts as 10.
    epoch = evaluation_batches(mixed, max_tokens=100)
    assert [len(batch.rows) for batch in epoch] == sizes


def test_little_of_a_text_is_padding(shipped: Corpus, vocabulary: Vocabulary) -> None:
    encoded = encode_pairs(shipped.split("train"), vocabulary, max_tokens=250).pairs
    epoch = list(token_batches(encoded, max_tokens=1024, seed=0, epoch=0))
    n_cells = sum(batch.source_BS.numel() + batch.target_in_BT.numel() for batch in epoch)
    n_tokens = sum(len(pair.source) + len(pair.target) + 1 for pair in encoded)
    assert sum(map(n_padding, epoch)) == n_cells - n_tokens
    assert 1 - n_tokens / n_cells < 0.05  # sorted by length alone: 0.09


def test_rows_name_the_pairs(pairs: list[Pair]) -> None:
    for batch in token_batches(pairs, max_tokens=40, seed=0, epoch=0):
        assert batch.source_BS[:, 0].tolist() == [20 + row for row in batch.rows]


def test_order_depends_on_seed_and_epoch_alone(pairs: list[Pair]) -> None:
    def order(seed: int, epoch: int) -> list[tuple[int, ...]]:
        return rows(token_batches(pairs, max_tokens=40, seed=seed, epoch=epoch))

    assert order(1, 2) == order(1, 2)
    assert order(1, 2) != order(1, 3)
    assert order(1, 2) != order(2, 2)
    assert order(1, 2) != order(2, 1)


def test_batches_pairs_of_similar_length(pairs: list[Pair]) -> None:
    lengths = [
        [pairs[r].length for r in batch] for batch in rows(evaluation_batches(pairs, max_tokens=40))
    ]
    assert list(chain(*lengths)) == sorted(pair.length for pair in pairs)


def test_moves_to_a_device(pairs: list[Pair]) -> None:
    batch = next(evaluation_batches(pairs, max_tokens=40))
    moved = batch.to("meta")
    assert {moved.source_BS.device.type, moved.target_in_BT.device.type} == {"meta"}
    assert moved.target_out_BT.device.type == "meta"
    assert moved.rows == batch.rows


def token(pairs: list[Pair], max_tokens: int) -> Iterator[Batch]:
    return token_batches(pairs, max_tokens=max_tokens, seed=0, epoch=0)


def training(pairs: list[Pair], max_tokens: int) -> Iterator[Batch]:
    return training_batches(pairs, max_tokens=max_tokens, seed=0)


def evaluation(pairs: list[Pair], max_tokens: int) -> Iterator[Batch]:
    return evaluation_batches(pairs, max_tokens=max_tokens)


every_kind = pytest.mark.parametrize(
    "batches", [token, training, evaluation, batches_per_epoch], ids=lambda kind: kind.__name__
)


@every_kind
def test_refuses_no_pairs(batches: Callable[[list[Pair], int], object]) -> None:
    with pytest.raises(ValueError, match="'pairs' must hold at least one pair. Got none"):
        batches([], 40)


@every_kind
def test_refuses_a_pair_over_the_budget(batches: Callable[[list[Pair], int], object]) -> None:
    pairs = [Pair((EOS,), ()), Pair((EOS,), (5,) * 8)]
    with pytest.raises(
        ValueError, match="'max_tokens' must be at least 9, .* pair 1. Got 8; raise"
    ):
        batches(pairs, 8)


@pytest.mark.parametrize(("seed", "epoch", "name"), [(-1, 0, "seed"), (0, -1, "epoch")])
def test_refuses_negative_seeds(pairs: list[Pair], seed: int, epoch: int, name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}' must be at least 0. Got -1."):
        token_batches(pairs, max_tokens=40, seed=seed, epoch=epoch)


def test_refuses_a_negative_step(pairs: list[Pair]) -> None:
    with pytest.raises(ValueError, match="'start_step' must be at least 0. Got -2."):
        training_batches(pairs, max_tokens=40, seed=0, start_step=-2)
