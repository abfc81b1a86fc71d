"""Claim: a sparse model of ours translates faster than a dense one in CTranslate2, and as well.

    pip install ctranslate2
    python benchmarks/bench_products.py --ours MODEL --dense MODEL --text FOLDER [--sentences 64]

Two trained models translate the test split of a text, on one thread: the first one as our bundle,
the second one in CTranslate2 with the same weights. First it is checked that the second one gives
in CTranslate2 the greedy outputs in float32 that its bundle gives. `added_width` are the channels
of zeros that its attention gets there, because CTranslate2 has one number of heads for a stack.
`padding_cost` is what they cost: the time of 20 tokens over that of the same model with uniform
heads, which needs no zeros, and `ratio_without` is our ratio to such a model. BLEU is that of the
whole split, with each product's own length penalty, and `bleu_difference` is ours less theirs with
the 95 % interval of a paired bootstrap over sentences. Then both translate sentences of the split
in turn: alone and greedily, alone with beam 4, and 16 of similar length together with beam 4.
`ratio` is the median over the turns of our time over theirs, with a 95 % interval from resampled
turns; `ms` is the time of a sentence, and `host_share` the part of ours outside of the graphs.
Splitting text into pieces is not timed.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

os.environ.setdefault("OMP_NUM_THREADS", "1")

import onnxruntime
from bench_translation import CASES, PRECISIONS, Tokens, Translate, interval, seconds
from ctranslate2_form import (
    added_width,
    inexpressible,
    opened_ctranslate2,
    write_ctranslate2,
)
from paper_claim.bootstrap import Statistics, bleu, difference
from paper_claim.translations import sentence_statistics

from automoe.deployed.beam_search import EOS, BeamSearch
from automoe.deployed.description import DECODER, ENCODER
from automoe.deployed.graphs import Graphs, opened_graphs
from automoe.deployed.sessions import open_session
from automoe.export import export_model
from automoe.supernet import Transformer
from automoe.text import ParallelText, Vocabulary, open_corpus
from automoe.training.model_folder import TrainedModel

_MAX_TOKENS = 256
_PADDING_TOKENS = 20


def _longest(source: Sequence[int]) -> int:
    return min(_MAX_TOKENS, 2 * len(source) + 10)


def _without_end(tokens: Sequence[int]) -> list[int]:
    return [token for token in tokens if token != EOS]


def ours(graphs: Graphs) -> Translate:
    """Return the translator of a bundle's graphs."""

    def translate(sources: Sequence[Sequence[int]], beam: int) -> Tokens:
        longest = [_longest(source) for source in sources]
        found = BeamSearch(beam).best(graphs.begin(sources), max_tokens=longest)
        return [_without_end(hypothesis.tokens) for hypothesis in found]

    return translate


def theirs(folder: Path, length: int | None = None) -> Translate:
    """Return CTranslate2's translator, with one thread and its own length penalty.

    Args:
        folder: The folder of the model.
        length: The length of all outputs, or None for those of the model.
    """
    outputs = opened_ctranslate2(folder)

    def translate(sources: Sequence[Sequence[int]], beam: int) -> Tokens:
        found = outputs(
            sources,
            beam_size=beam,
            min_decoding_length=length or 1,
            max_decoding_length=length or max(map(_longest, sources)),
        )
        return [_without_end(tokens) for tokens in found]

    return translate


def statistics(
    translate: Translate, beam: int, vocabulary: Vocabulary, text: ParallelText
) -> Statistics:
    """Return what BLEU adds up over the sentences of a text."""
    sources = [[*vocabulary.encode(sentence)[: _MAX_TOKENS - 1], EOS] for sentence in text.source]
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    translations = [""] * len(sources)
    for first in range(0, len(order), 16):
        batch = order[first : first + 16]
        for i, tokens in zip(batch, translate([sources[i] for i in batch], beam), strict=True):
            translations[i] = vocabulary.decode(tokens)
    return sentence_statistics(translations, text.target)


def ctranslate2_backend(folder: Path) -> str:
    """Return what CTranslate2's log says of the processor, the instructions and the library."""
    opening = f"Translator({str(folder)!r}, device='cpu', intra_threads=1)"
    told = subprocess.run(
        [sys.executable, "-c", f"import ctranslate2; ctranslate2.{opening}"],
        env={**os.environ, "CT2_VERBOSE": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    wanted = (
        "CPU:",
        "Selected ISA",
        "Use Intel MKL",
        "SGEMM backend",
        "GEMM_S8 backend",
        "Compute",
    )
    lines = [line.rpartition("] ")[2].strip(" -") for line in told.splitlines()]
    chosen = [line for line in lines if line.startswith(wanted)]
    return "; ".join(dict.fromkeys(chosen))


def host_share(graphs: Graphs, sources: Tokens, together: int, beam: int) -> float:
    """Return the part of the time of our translator that its graphs do not take."""
    before_s, start = graphs.runtime_s, perf_counter()
    seconds(ours(graphs), sources, together, beam)
    return 1 - (graphs.runtime_s - before_s) / (perf_counter() - start)


@dataclass(frozen=True)
class Products:
    """Both products in one precision.

    Attributes:
        graphs: Our graphs.
        both: Our translator, and theirs.
        padded: Their translators into a fixed length, with zeros and with uniform heads.
        backends: What computes.
    """

    graphs: Graphs
    both: tuple[Translate, Translate]
    padded: tuple[Translate, Translate]
    backends: dict[str, str]


def opened(folder: Path) -> tuple[Graphs, str]:
    """Return the graphs of a bundle, and what runs them."""
    encoder, decoder = (open_session(folder / name) for name in (ENCODER, DECODER))
    name = f"ONNX Runtime {onnxruntime.__version__}, {encoder.get_providers()[0]}"
    return opened_graphs(encoder, decoder), name


def made(first: Transformer, second: Transformer, folder: Path, precision: str) -> Products:
    """Write and open both products."""
    mine, other = folder / precision, folder / f"ct2-{precision}"
    export_model(first, mine, precision=precision)
    uniform, quantization = folder / f"uniform-{precision}", precision.replace("fp32", "") or None
    write_ctranslate2(second, other, quantization)
    write_ctranslate2(second, uniform, quantization, padded=False)
    graphs, name = opened(mine)
    padded = (theirs(other, _PADDING_TOKENS), theirs(uniform, _PADDING_TOKENS))
    backends = {"our_backend": name, "ctranslate2_backend": ctranslate2_backend(other)}
    return Products(graphs, (ours(graphs), theirs(other)), padded, backends)


def n_equal_outputs(model: Transformer, translate: Translate, sources: Tokens, folder: Path) -> int:
    """Return how many greedy outputs of a model's bundle are those of another translator."""
    export_model(model, folder)
    bundle = ours(opened(folder)[0])
    return sum(bundle([source], 1) == translate([source], 1) for source in sources)


def scored(
    both: tuple[Translate, Translate],
    vocabularies: tuple[Vocabulary, Vocabulary],
    beam: int,
    text: ParallelText,
) -> dict[str, object]:
    """Return the BLEU of both, and the difference."""
    first, second = (
        statistics(translate, beam, vocabulary, text)
        for translate, vocabulary in zip(both, vocabularies, strict=True)
    )
    return {
        "bleu": round(bleu(first), 2),
        "ctranslate2_bleu": round(bleu(second), 2),
        "bleu_difference": difference([first], [second]).shown(2, signed=True),
    }


def timed(
    both: tuple[Translate, Translate], sources: tuple[Tokens, Tokens], together: int, beam: int
) -> tuple[float, ...]:
    """Return the seconds of a sentence of both translators."""
    pairs = zip(both, sources, strict=True)
    return tuple(seconds(translate, of, together, beam) for translate, of in pairs)


def compared(turns: Sequence[tuple[float, ...]]) -> dict[str, object]:
    """Return the times of both and the ratio, from turns of `timed` with and without padding."""
    ratios = [mine / other for mine, other, _, _ in turns]
    costs = [padded / uniform for *_, padded, uniform in turns]
    without = [ratio * cost for ratio, cost in zip(ratios, costs, strict=True)]
    return {
        "ms": round(1000 * median(turn[0] for turn in turns), 2),
        "ctranslate2_ms": round(1000 * median(turn[1] for turn in turns), 2),
        "ratio": round(median(ratios), 3),
        "interval": interval(ratios),
        "padding_cost": round(median(costs), 3),
        "ratio_without": round(median(without), 3),
        "interval_without": interval(without),
    }


def main() -> None:
    """Print one JSON line for each case and precision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", type=Path, required=True, help="the folder of our model")
    parser.add_argument("--dense", type=Path, required=True, help="the folder of the dense model")
    parser.add_argument("--text", type=Path, help="the folder of the text")
    parser.add_argument("--sentences", type=int, default=64)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    first, second = (TrainedModel.load(folder) for folder in (given.ours, given.dense))
    if reason := inexpressible(second.model):
        sys.exit(f"CTranslate2 cannot express '{given.dense}', because {reason}. Give another one.")
    text = open_corpus(given.text).split("test")
    chosen = text.source[:: max(len(text) // given.sentences, 1)][: given.sentences]
    vocabularies = first.vocabulary, second.vocabulary
    mine, other = (
        sorted(([*each.encode(sentence), EOS] for sentence in chosen), key=len)
        for each in vocabularies
    )
    with TemporaryDirectory() as name:
        folder = Path(name)
        all_of = {x: made(first.model, second.model, folder, x) for x in PRECISIONS}
        reference = all_of["fp32"].both[1]
        n_equal = n_equal_outputs(second.model, reference, other, folder / "dense")
        checked = {"equal greedy outputs": n_equal, "sentences": len(other)}
        print(json.dumps(checked | {"added_width": added_width(second.model)}), flush=True)
        scores = {
            (precision, beam): scored(products.both, vocabularies, beam, text)
            for precision, products in all_of.items()
            for beam in sorted({beam for _, beam in CASES})
        }
        for together, beam in CASES:
            turns: dict[str, list[tuple[float, ...]]] = {precision: [] for precision in all_of}
            for run in range(1 + given.runs):
                for precision, products in all_of.items():
                    took = timed(products.both, (mine, other), together, beam)
                    took += timed(products.padded, (other, other), together, beam)
                    if run:  # the first turn warms up
                        turns[precision].append(took)
            for precision, products in all_of.items():
                line = {
                    "together": together,
                    "beam": beam,
                    "precision": precision,
                    **compared(turns[precision]),
                    "host_share": round(host_share(products.graphs, mine, together, beam), 3),
                    **scores[precision, beam],
                    **products.backends,
                }
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
