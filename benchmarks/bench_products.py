"""Claim: our best sparse model translates faster than the best dense one in CTranslate2.

    pip install ctranslate2
    python benchmarks/bench_products.py --ours MODEL --dense MODEL --text FOLDER [--sentences 64]

Two trained models translate the test split of a text, on one thread: the first one as our bundle,
the second one in CTranslate2 with the same weights. First it is checked that the second one gives
in CTranslate2 the greedy outputs in float32 that its bundle gives. BLEU is that of the whole
split, with each product's own length penalty, and `bleu_difference` is ours less theirs with the
95 % interval of a paired bootstrap over the sentences. Then both translate sentences of the split
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
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import onnxruntime
from bench_translation import CASES, PRECISIONS, Tokens, Translate, interval, seconds
from ctranslate2_form import added_width, inexpressible, write_ctranslate2
from paper_claim.bootstrap import Statistics, bleu, difference
from paper_claim.translations import sentence_statistics

from automoe.deployed.beam_search import EOS, BeamSearch
from automoe.deployed.description import DECODER, ENCODER
from automoe.deployed.graphs import Graphs, opened_graphs
from automoe.deployed.sessions import open_session
from automoe.export import export_model
from automoe.text import ParallelText, Vocabulary, open_corpus
from automoe.training.model_folder import TrainedModel

_MAX_TOKENS = 256


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


def theirs(folder: Path) -> Translate:
    """Return CTranslate2's translator, with one thread and its own length penalty."""
    import ctranslate2

    translator = ctranslate2.Translator(
        str(folder), device="cpu", inter_threads=1, intra_threads=1, compute_type="default"
    )

    def translate(sources: Sequence[Sequence[int]], beam: int) -> Tokens:
        results = translator.translate_batch(
            [[str(token) for token in source] for source in sources],
            beam_size=beam,
            max_batch_size=len(sources),
            max_decoding_length=max(map(_longest, sources)),
        )
        return [_without_end([int(x) for x in result.hypotheses[0]]) for result in results]

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
    program = "import ctranslate2, sys; ctranslate2.Translator(sys.argv[1], device='cpu')"
    told = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
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
    step = max(len(text.source) // given.sentences, 1)
    chosen = text.source[::step][: given.sentences]
    pairs = (first.vocabulary, second.vocabulary)
    timed = [sorted(([*v.encode(x), EOS] for x in chosen), key=len) for v in pairs]
    with TemporaryDirectory() as name:
        graphs: dict[str, Graphs] = {}
        both: dict[str, tuple[Translate, Translate]] = {}
        backend: dict[str, dict[str, Any]] = {}
        for precision in PRECISIONS:
            folder, other = Path(name) / precision, Path(name) / f"ct2-{precision}"
            export_model(first.model, folder, precision=precision)
            write_ctranslate2(second.model, other, None if precision == "fp32" else precision)
            sessions = (open_session(folder / ENCODER), open_session(folder / DECODER))
            graphs[precision] = opened_graphs(*sessions)
            both[precision] = ours(graphs[precision]), theirs(other)
            provider = sessions[0].get_providers()[0]
            backend[precision] = {
                "our_backend": f"ONNX Runtime {onnxruntime.__version__}, {provider}",
                "ctranslate2_backend": ctranslate2_backend(other),
            }
        export_model(second.model, Path(name) / "dense")
        dense = (open_session(Path(name) / "dense" / x) for x in (ENCODER, DECODER))
        same = [x([s], 1) for x in (ours(opened_graphs(*dense)), both["fp32"][1]) for s in timed[1]]
        n = len(timed[1])
        n_equal = sum(a == b for a, b in zip(same[:n], same[n:], strict=True))
        added = added_width(second.model)
        print(json.dumps({"equal greedy outputs": n_equal, "of": n, "added width": added}))
        scores: dict[tuple[str, int], dict[str, Any]] = {}
        for precision, translators in both.items():
            for beam in sorted({beam for _, beam in CASES}):
                a, b = (
                    statistics(translate, beam, vocabulary, text)
                    for translate, vocabulary in zip(translators, pairs, strict=True)
                )
                scores[precision, beam] = {
                    "bleu": round(bleu(a), 2),
                    "ctranslate2_bleu": round(bleu(b), 2),
                    "bleu_difference": difference([a], [b]).shown(2, signed=True),
                }
        for together, beam in CASES:
            turns: dict[str, list[tuple[float, ...]]] = {precision: [] for precision in both}
            for run in range(1 + given.runs):
                for precision, translators in both.items():
                    took = tuple(
                        seconds(translate, sources, together, beam)
                        for translate, sources in zip(translators, timed, strict=True)
                    )
                    if run:  # the first turn warms up
                        turns[precision].append(took)
            for precision, times in turns.items():
                ratios = [mine / other for mine, other in times]
                share = host_share(graphs[precision], timed[0], together, beam)
                line = {
                    "together": together,
                    "beam": beam,
                    "precision": precision,
                    "ms": round(1000 * median(mine for mine, _ in times), 2),
                    "ctranslate2_ms": round(1000 * median(other for _, other in times), 2),
                    "ratio": round(median(ratios), 3),
                    "interval": interval(ratios),
                    "host_share": round(share, 3),
                    **scores[precision, beam],
                    **backend[precision],
                }
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
