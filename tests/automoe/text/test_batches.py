from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from random import Random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from automoe.text import (
    Batch,
    Pair,
    batches_per_epoch,
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
    pairs = [Pair((7, EOS), (5, 6)), Pair((8, 9, EOS), (4,))]
    (batch,) = evaluation_batches(pairs, max_tokens=6)
    assert batch.rows == (0, 1)
    assert batch.source_BS.tolist() == [[7, EOS, PAD], [8, 9, EOS]]
    assert batch.target_in_BT.tolist() == [[BOS, 5, 6], [BOS, 4, PAD]]
    assert batch.target_out_BT.tolist() == [[5, 6, EOS], [4, EOS, PAD]]
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


def test_resuming_builds_no_earlier_batch(pairs: list[Pair]) -> None:
    class Counted(list[Pair]):
        built = 0

        def __getitem__(self, index: int) -> Pair:  # type: ignore[override]
            self.built += 1
            return super().__getitem__(index)

    counted = Counted(pairs)
    batch = next(training_batches(counted, max_tokens=40, seed=2, start_step=10_000))
    assert counted.built == len(batch.rows)


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
