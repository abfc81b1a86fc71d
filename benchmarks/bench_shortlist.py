"""Claim: a shortlist of target pieces makes translations faster, the time of its choice included.

    python benchmarks/bench_shortlist.py [--runs 7] [--candidates 500 2048 8000] [--layers 6]

The dense model of `bench_translation.py` translates random sentences of 30 tokens into 30 tokens,
on one thread: one alone and greedily, one alone with beam 4, and 16 together with beam 4; with
shortlists that give about so many candidates, and without one. First it is checked that a bundle
with a shortlist that is switched off gives the outputs of one without, token by token.

Then all take turns. `step_ms` is the time of a decoder step, `choose_ms` that of choosing the
candidates and taking their rows, once for the sentences that are translated together, and `ms` that
of a sentence with both. `step_speedup` and `speedup` are medians over the turns of the time without
a shortlist over that with it, with 95 % intervals from resampled turns. Splitting text into pieces
is not timed.
"""

import argparse
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from bench_translation import CASES, LENGTH, PRECISIONS, Tokens, backends, dense_model, interval

from automoe.deployed.beam_search import EOS, BeamSearch
from automoe.deployed.description import DECODER, ENCODER, SHORTLIST_GRAPH
from automoe.deployed.graphs import Candidates, Graphs, opened_graphs
from automoe.deployed.sessions import open_session
from automoe.deployed.shortlist import Shortlist
from automoe.export import export_model
from automoe.text.special_tokens import UNK


@dataclass
class Clock:
    """A clock that adds up the seconds of the calls of a function."""

    function: Callable[..., Any]
    seconds: float = 0.0
    n_calls: int = 0

    def __call__(self, *given: Any) -> Any:
        """Call the function."""
        start = perf_counter()
        result = self.function(*given)
        self.seconds += perf_counter() - start
        self.n_calls += 1
        return result


@dataclass(frozen=True)
class Turn:
    """The milliseconds of one translation.

    Attributes:
        step_ms: A decoder step.
        choose_ms: Choosing the candidates and taking their rows.
        ms: A sentence.
    """

    step_ms: float
    choose_ms: float
    ms: float


@dataclass(frozen=True)
class Translator:
    """The graphs of a bundle with one shortlist, or none.

    Attributes:
        graphs: The graphs.
        choose: The clock of the candidates, if there are any.
    """

    graphs: Graphs
    choose: Clock | None = None

    def outputs(self, sources: Tokens, beam: int) -> Tokens:
        """Return the translations of sentences that are translated together."""
        return self._translated(self.graphs.begin(sources), len(sources), beam)

    def turn(self, sources: Tokens, beam: int) -> Turn:
        """Translate sentences together."""
        chosen_s = self.choose.seconds if self.choose else 0.0
        start = perf_counter()
        step = Clock(self.graphs.begin(sources))
        outputs = self._translated(step, len(sources), beam)
        total_s = perf_counter() - start
        if {len(tokens) for tokens in outputs} != {LENGTH}:
            raise RuntimeError(f"All translations must have {LENGTH} tokens.")
        choose_s = self.choose.seconds - chosen_s if self.choose else 0.0
        return Turn(
            1000 * step.seconds / step.n_calls, 1000 * choose_s, 1000 * total_s / len(sources)
        )

    @staticmethod
    def _translated(step: Any, n_sentences: int, beam: int) -> Tokens:
        search = BeamSearch(beam, length_penalty=0.0)
        found = search.best(step, max_tokens=[LENGTH] * n_sentences)
        return [list(hypothesis.tokens) for hypothesis in found]


def plain(folder: Path) -> Translator:
    """Return the translator of a bundle without a shortlist."""
    return Translator(opened_graphs(open_session(folder / ENCODER), open_session(folder / DECODER)))


def shortlisted(
    folder: Path, shortlist: Shortlist, *, vocab_size: int, is_exact: bool = False
) -> Translator:
    """Return the translator of a bundle with this shortlist in the place of its own."""
    session = open_session(folder / SHORTLIST_GRAPH)
    candidates = Candidates(session, shortlist, vocab_size=vocab_size, is_exact=is_exact)
    choose = Clock(candidates.of)
    candidates.of = choose  # type: ignore[method-assign]
    sessions = open_session(folder / ENCODER), open_session(folder / DECODER)
    return Translator(opened_graphs(*sessions, candidates), choose)


def random_shortlist(vocab_size: int, n_best: int) -> Shortlist:
    """Return random pieces for each source piece."""
    rng = np.random.default_rng(n_best)
    return Shortlist(
        rng.integers(UNK, vocab_size, (vocab_size, n_best)),
        rng.integers(UNK, vocab_size, n_best),
    )


def compared(
    translators: Mapping[str, Translator], sources: Tokens, beam: int, runs: int
) -> dict[str, list[Turn]]:
    """Return the turns of each translator, which alternate."""
    turns: dict[str, list[Turn]] = {name: [] for name in translators}
    for run in range(1 + runs):
        for name, translator in translators.items():
            turn = translator.turn(sources, beam)
            if run:  # the first turn warms up
                turns[name].append(turn)
    return turns


def figures(turns: Sequence[Turn], whole: Sequence[Turn]) -> dict[str, object]:
    """Return the figures of one translator beside the one without a shortlist."""
    content: dict[str, object] = {}
    for field, ratio in (("step_ms", "step_speedup"), ("choose_ms", ""), ("ms", "speedup")):
        own = [getattr(turn, field) for turn in turns]
        content[field] = round(median(own), 3)
        if ratio:
            other = [getattr(turn, field) for turn in whole]
            ratios = [a / b for a, b in zip(other, own, strict=True)]
            content[ratio] = round(median(ratios), 3)
            content[f"{ratio}_interval"] = interval(ratios)
    return content


def main() -> None:
    """Print one JSON line for each case, precision and number of candidates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--candidates", type=int, nargs="+", default=[500, 2048, 8000])
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--vocab", type=int, default=32768)
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = dense_model(given.layers, given.vocab)
    drawn = np.random.default_rng(0).integers(UNK + 1, given.vocab, (16, LENGTH - 1))
    sources = [[*row, EOS] for row in drawn.tolist()]
    any_list = random_shortlist(given.vocab, 1)
    with TemporaryDirectory() as name:
        for precision in PRECISIONS:
            whole, short = Path(name) / precision, Path(name) / f"{precision}-short"
            export_model(model, whole, precision=precision)
            export_model(model, short, precision=precision, shortlist=any_list)
            without = plain(whole)
            exact = shortlisted(short, any_list, vocab_size=given.vocab, is_exact=True)
            outputs = [each.outputs(sources, 4) for each in (without, exact)]
            n_equal = sum(ours == theirs for ours, theirs in zip(*outputs, strict=True))
            if n_equal < len(sources):
                raise SystemExit(f"{precision}: {n_equal} of {len(sources)} outputs are equal.")
            print(json.dumps({"precision": precision, "equal when exact": n_equal}), flush=True)
            for together, beam in CASES:
                first = sources[:together]
                translators = {"none": without, "exact": exact}
                n_chosen = {"none": given.vocab, "exact": given.vocab}
                for n in given.candidates:
                    few = random_shortlist(given.vocab, max(1, round(n / (1 + together * LENGTH))))
                    translators[str(n)] = shortlisted(short, few, vocab_size=given.vocab)
                    n_chosen[str(n)] = len(few.candidates(first))
                turns = compared(translators, first, beam, given.runs)
                for each, own in turns.items():
                    line = {
                        "together": together,
                        "beam": beam,
                        "precision": precision,
                        "shortlist": each,
                        "candidates": n_chosen[each],
                        **figures(own, turns["none"]),
                        **backends(),
                    }
                    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
