from collections.abc import Callable, Iterator
from math import log

import numpy as np
import pytest

from automoe.deployed import beam_search
from automoe.text.special_tokens import BOS, EOS, PAD
from automoe.translation import BeamSearch, Hypothesis

VOCAB_SIZE = 5
Prefix = tuple[int, ...]


def test_the_program_knows_the_tokens_of_every_vocabulary() -> None:
    assert (beam_search.PAD, beam_search.BOS, beam_search.EOS) == (PAD, BOS, EOS)


class Table:
    """A model that is a function from what was read so far, BOS apart, to log-probabilities."""

    def __init__(self, next_V: Callable[[Prefix], np.ndarray]) -> None:
        self.next_V = next_V
        self.rows: list[Prefix] = [()]
        self.n_rows: list[int] = []  # at each call

    def __call__(
        self, token_R: np.ndarray, parent_R: np.ndarray, kept_B: np.ndarray, n_best: int
    ) -> tuple[np.ndarray, np.ndarray]:
        assert kept_B.tolist() == [0]
        if not self.n_rows:
            assert (parent_R.tolist(), token_R.tolist()) == ([0], [BOS])
        else:
            pairs = zip(parent_R.tolist(), token_R.tolist(), strict=True)
            self.rows = [(*self.rows[parent], token) for parent, token in pairs]
        self.n_rows.append(len(self.rows))
        return best_of(np.stack([self.next_V(row) for row in self.rows]), n_best)


def best_of(log_probability_RV: np.ndarray, n_best: int) -> tuple[np.ndarray, np.ndarray]:
    token_RN = np.argsort(-log_probability_RV, axis=1, kind="stable")[:, :n_best]
    return np.take_along_axis(log_probability_RV, token_RN, axis=1), token_RN


class Together:
    """Several models that are functions, one for each sentence."""

    def __init__(self, tables: list[Table]) -> None:
        self.tables = tables
        self.prefixes: list[list[Prefix]] = [[()] for _ in tables]
        self.n_calls = 0

    def __call__(
        self, token_R: np.ndarray, parent_R: np.ndarray, kept_B: np.ndarray, n_best: int
    ) -> tuple[np.ndarray, np.ndarray]:
        if self.n_calls:
            before = [prefix for prefixes in self.prefixes for prefix in prefixes]
            pairs = zip(parent_R.tolist(), token_R.tolist(), strict=True)
            grown = [(*before[parent], token) for parent, token in pairs]
            n_rows = len(grown) // len(kept_B)
            self.prefixes = [grown[i : i + n_rows] for i in range(0, len(grown), n_rows)]
            self.tables = [self.tables[sentence] for sentence in kept_B]
        self.n_calls += 1
        rows = [
            table.next_V(prefix)
            for table, prefixes in zip(self.tables, self.prefixes, strict=True)
            for prefix in prefixes
        ]
        return best_of(np.stack(rows), n_best)


@pytest.mark.parametrize("beam", [1, 2, 4])
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_sentences_together_get_what_they_get_alone(beam: int, alpha: float) -> None:
    search, longest = BeamSearch(beam, alpha), [2 + seed % 5 for seed in range(12)]
    together = search.best(Together([random_table(s) for s in range(12)]), max_tokens=longest)
    alone = [search.best(random_table(s), max_tokens=[n])[0] for s, n in enumerate(longest)]
    assert together == alone
    assert len({len(found.tokens) for found in alone}) > 1


def random_table(seed: int) -> Table:
    def scored(prefix: Prefix) -> np.ndarray:
        logits_V = 2 * np.random.default_rng((seed, *prefix)).standard_normal(VOCAB_SIZE)
        return logits_V - np.log(np.exp(logits_V).sum())

    return Table(scored)


def spelled_table(probabilities: dict[Prefix, dict[int, float]]) -> Table:
    """Tokens that are not spelled out are impossible."""

    def scored(prefix: Prefix) -> np.ndarray:
        row = np.full(VOCAB_SIZE, -np.inf)
        for token, probability in probabilities[prefix].items():
            row[token] = log(probability)
        return row

    return Table(scored)


def outputs(
    table: Table, max_tokens: int, prefix: Prefix = (), total: float = 0.0
) -> Iterator[tuple[Prefix, float]]:
    """Every output that ends with EOS after at most `max_tokens`, and its log-probability."""
    for token, gain in enumerate(table.next_V(prefix)):
        if token == EOS:
            yield (*prefix, EOS), total + gain
        elif len(prefix) + 1 < max_tokens:
            yield from outputs(table, max_tokens, (*prefix, token), total + gain)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_wide_beam_finds_the_optimum(seed: int, alpha: float) -> None:
    search = BeamSearch(beam=VOCAB_SIZE**4, length_penalty=alpha)
    found = search.best(random_table(seed), max_tokens=[4])[0]
    everything = outputs(random_table(seed), 4)
    scored = {
        tokens: total / ((5 + len(tokens)) / 6) ** alpha  # by hand from the paper
        for tokens, total in everything
    }
    assert len(scored) == 1 + 4 + 16 + 64
    assert found.tokens == max(scored, key=scored.__getitem__)
    assert search.score(found) == pytest.approx(scored[found.tokens])


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_one_place_is_greedy(alpha: float) -> None:
    lengths = set()
    for seed in range(20):
        table = random_table(seed)
        greedy: list[int] = []
        while len(greedy) < 6 and greedy[-1:] != [EOS]:
            greedy.append(int(table.next_V(tuple(greedy)).argmax()))
        assert BeamSearch(1, alpha).best(table, max_tokens=[6])[0].tokens == tuple(greedy)
        lengths.add(len(greedy))
    assert len(lengths) > 2


def test_two_places_find_what_greedy_misses() -> None:
    probabilities = {(): {3: 0.6, 4: 0.4}, (3,): {3: 0.5, EOS: 0.5}, (4,): {EOS: 1.0}}
    probabilities[3, 3] = {EOS: 1.0}
    best = BeamSearch(2, 0.0).best(spelled_table(probabilities), max_tokens=[3])[0]
    assert best == Hypothesis((4, EOS), pytest.approx(log(0.4)))
    greedy = BeamSearch(1, 0.0).best(spelled_table(probabilities), max_tokens=[3])[0]
    assert greedy.log_probability == pytest.approx(log(0.3))


def test_the_length_penalty_lifts_the_longer_output() -> None:
    table = {(): {EOS: 0.5, 4: 0.5}, (4,): {EOS: 0.9, 3: 0.1}, (4, 3): {EOS: 1.0}}
    short = BeamSearch(4, 0.0).best(spelled_table(table), max_tokens=[3])[0]
    assert short.tokens == (EOS,)
    # log(0.45) / (7 / 6) = -0.6844 is above log(0.5) / (6 / 6) = -0.6931
    search = BeamSearch(4, 1.0)
    longer = search.best(spelled_table(table), max_tokens=[3])[0]
    assert longer.tokens == (4, EOS)
    assert search.score(longer) == pytest.approx(-0.684435, abs=1e-6)
    assert search.score(short) == pytest.approx(-0.693147, abs=1e-6)


# Of the open output (4), 0.05 / ((5 + 9) / 6) ** alpha is the most that nine tokens can reach.
@pytest.mark.parametrize(("alpha", "n_calls"), [(0.0, 1), (1.0, 1), (5.0, 2)])
def test_stops_when_nothing_open_can_win(alpha: float, n_calls: int) -> None:
    table = spelled_table({(): {EOS: 0.95, 4: 0.05}, (4,): {EOS: 1.0}})
    BeamSearch(2, alpha).best(table, max_tokens=[9])[0]
    assert log(0.05) / (14 / 6) ** 5 > log(0.95) > log(0.05) / (14 / 6)
    assert len(table.n_rows) == n_calls


def test_a_complete_output_keeps_its_place() -> None:
    halves = {(): {EOS: 0.5, 4: 0.5}, (4,): {3: 0.5, 4: 0.5}, (4, 3): {3: 0.5, 4: 0.5}}
    table = spelled_table({**halves, (4, 3, 3): {EOS: 1.0}})
    BeamSearch(2, 5.0).best(table, max_tokens=[4])[0]
    assert table.n_rows == [1, 1, 1, 1]


def test_an_output_without_end_is_cut_off() -> None:
    table = spelled_table({(3,) * n: {3: 0.9, 4: 0.1} for n in range(4)})
    best = BeamSearch(1).best(table, max_tokens=[4])[0]
    assert best == Hypothesis((3, 3, 3, 3), pytest.approx(4 * log(0.9)))
    assert not best.is_complete
    assert len(table.n_rows) == 4


def test_a_complete_output_goes_before_a_cut_off_one() -> None:
    table = spelled_table({(): {3: 0.9, EOS: 0.1}, (3,): {3: 1.0}})
    best = BeamSearch(2).best(table, max_tokens=[2])[0]
    assert best.tokens == (EOS,)
    assert best.is_complete


def test_equals_go_to_the_first_token() -> None:
    table = spelled_table({(): {3: 0.5, 4: 0.5}, (3,): {EOS: 1.0}})
    assert BeamSearch(1).best(table, max_tokens=[2])[0].tokens == (3, EOS)


@pytest.mark.parametrize("bad", [-np.inf, np.nan])
def test_refuses_a_step_that_leaves_nothing(bad: float) -> None:
    table = Table(lambda prefix: np.full(VOCAB_SIZE, bad if prefix else log(0.2)))
    match = r"^'step' must let a token follow. Got none after 1; check that the .* are finite.$"
    with pytest.raises(ValueError, match=match):
        BeamSearch(1).best(table, max_tokens=[3])[0]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"beam": 0}, "^'beam' must be at least 1. Got 0.$"),
        ({"length_penalty": -0.1}, "^'length_penalty' must be at least 0. Got -0.1.$"),
        ({"length_penalty": float("nan")}, "^'length_penalty' must be at least 0. Got nan.$"),
    ],
)
def test_refuses_options_out_of_range(arguments: dict[str, float], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        BeamSearch(**arguments)


def test_refuses_an_output_without_tokens() -> None:
    with pytest.raises(ValueError, match="^'max_tokens' must be at least 1. Got 0.$"):
        BeamSearch().best(random_table(0), max_tokens=[0])[0]


def test_a_row_that_is_not_a_number_leaves_the_others_in_order() -> None:
    def step(token_R: np.ndarray, *_: object) -> tuple[np.ndarray, np.ndarray]:
        best_RN = np.tile([np.nan, -1.0, -2.0, np.nan], (len(token_R), 1))
        return best_RN, np.tile([3, EOS, 4, 4], (len(token_R), 1))

    found = BeamSearch(2, 0.0).best(step, max_tokens=[3])[0]
    assert (found.tokens, found.log_probability) == ((EOS,), -1.0)
