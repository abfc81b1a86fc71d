"""Claim: an exported model translates faster than the same weights in CTranslate2.

    pip install ctranslate2 pymarian
    python benchmarks/bench_translation.py [--sentences 16] [--runs 5] [--layers 6] [--vocab 32768]

A dense Transformer with random weights translates random sentences of 30 tokens into 30 tokens, on
one thread: alone and greedily, alone with beam 4, and 16 together with beam 4. First it is checked
that the greedy outputs in float32 are equal, token by token. Then all take turns; in float32 those
of the model in eager torch, with our search, and of Marian, if it is installed, too. `ratio` is the
median over the turns of our time over CTranslate2's in the same precision, with a 95 % interval
from resampled turns, and so for the others; `ms` is the median time of a sentence. Splitting text
into pieces is not timed.
"""

import argparse
import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from ctranslate2_form import opened_ctranslate2, write_ctranslate2
from marian_form import marian, write_marian

from automoe.architecture.architecture import Architecture
from automoe.deployed.beam_search import BOS, EOS, PAD, BeamSearch
from automoe.deployed.description import DECODER, ENCODER
from automoe.deployed.graphs import opened_graphs
from automoe.deployed.sessions import open_session
from automoe.export import export_model
from automoe.supernet import Transformer, TransformerConfig
from automoe.supernet.layers import LayerCache

WIDTH, HEADS, FFN = 512, 8, 2048
LENGTH = 30
PRECISIONS = ("fp32", "int8")
CASES = ((1, 1), (1, 4), (16, 4))  # sentences together, and hypotheses of each
_FIRST_PIECE = EOS + 2

Tokens = list[list[int]]
Translate = Callable[[Sequence[Sequence[int]], int], Tokens]


def dense_model(n_layers: int, vocab_size: int) -> Transformer:
    """Return a dense model that CTranslate2 can express. It never predicts PAD, BOS and EOS."""
    encoder_layer = {"heads": HEADS, "experts": [FFN]}
    decoder_layer = {**encoder_layer, "cross_heads": HEADS, "cross_span": 1}
    architecture = Architecture.from_dict(
        {
            "qkv_dim": WIDTH,
            "encoder": {"embed_dim": WIDTH, "layers": [encoder_layer] * n_layers},
            "decoder": {"embed_dim": WIDTH, "layers": [decoder_layer] * n_layers},
        }
    )
    model = Transformer(TransformerConfig.of(architecture, vocab_size=vocab_size), seed=0).eval()
    with torch.no_grad():
        model.target_embedding[[PAD, BOS, EOS]] = 0
    return model


def ours(folder: Path) -> Translate:
    """Return the translator of a bundle, with one thread."""
    graphs = opened_graphs(open_session(folder / ENCODER), open_session(folder / DECODER))

    def translate(sources: Sequence[Sequence[int]], beam: int) -> Tokens:
        search = BeamSearch(beam, length_penalty=0.0)
        found = search.best(graphs.begin(sources), max_tokens=[LENGTH] * len(sources))
        return [list(hypothesis.tokens) for hypothesis in found]

    return translate


class TorchStep:
    """The eager model as a `Step` of our search. All sources have the same length."""

    def __init__(self, model: Transformer, sources: Sequence[Sequence[int]]) -> None:
        self._model = model
        self._cache = model.start(model.encode(torch.tensor(sources)))

    def __call__(self, token_R: Any, parent_R: Any, kept_B: Any, n_best: int) -> tuple[Any, Any]:
        """See `automoe.deployed.beam_search.Step`."""
        parents = torch.from_numpy(parent_R)

        def reordered(kept: Any) -> Any:
            return None if kept is None else tuple(part[parents] for part in kept)

        layers = tuple(
            LayerCache(reordered(layer.own), reordered(layer.cross)) for layer in self._cache.layers
        )
        token_R1 = torch.from_numpy(token_R)[:, None]
        output, self._cache = self._model.decode(token_R1, replace(self._cache, layers=layers))
        best = output.logits_BTV[:, 0].log_softmax(dim=1).topk(n_best, dim=1)
        return best.values.numpy(), best.indices.numpy()


def eager(model: Transformer) -> Translate:
    """Return the translator of the model in torch."""

    @torch.inference_mode()
    def translate(sources: Sequence[Sequence[int]], beam: int) -> Tokens:
        search = BeamSearch(beam, length_penalty=0.0)
        found = search.best(TorchStep(model, sources), max_tokens=[LENGTH] * len(sources))
        return [list(hypothesis.tokens) for hypothesis in found]

    return translate


def theirs(folder: Path) -> Translate:
    """Return CTranslate2's translator, with one thread."""
    outputs = opened_ctranslate2(folder)

    def translate(sources: Sequence[Sequence[int]], beam: int) -> Tokens:
        length = {"min_decoding_length": LENGTH, "max_decoding_length": LENGTH}
        return outputs(sources, beam_size=beam, length_penalty=0.0, **length)

    return translate


def seconds(translate: Translate, sources: Tokens, together: int, beam: int) -> float:
    """Return the seconds of a sentence."""
    start = perf_counter()
    for first in range(0, len(sources), together):
        translate(sources[first : first + together], beam)
    return (perf_counter() - start) / len(sources)


def interval(ratios: Sequence[float]) -> list[float]:
    """Return the 95 % interval of the median, from resampled turns."""
    rng = np.random.default_rng(0)
    drawn = rng.choice(ratios, (2000, len(ratios)))
    return [round(float(x), 3) for x in np.quantile(np.median(drawn, axis=1), [0.025, 0.975])]


def _of_others(turns: Sequence[tuple[float, ...]]) -> dict[str, object]:
    """Return the figures of those that took part beside CTranslate2."""
    figures: dict[str, object] = {}
    for place, name in zip(range(2, len(turns[0])), ("torch", "marian"), strict=False):
        ratios = [turn[0] / turn[place] for turn in turns]
        figures[f"{name}_ms"] = round(1000 * median(turn[place] for turn in turns), 2)
        figures[f"{name}_ratio"] = round(median(ratios), 3)
        figures[f"{name}_interval"] = interval(ratios)
    return figures


def backends() -> dict[str, str]:
    """Return what computes: the processor and the libraries."""
    names = ("onnxruntime", "ctranslate2", "torch", "pymarian")
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    vector = ("avx512_vnni", "avx_vnni", "avx512f", "avx2")
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    found = ", ".join(name for name in vector if name in flags)
    return {
        "processor": f"{named[0] if named else platform.machine()} ({found or 'no AVX2'})",
        "libraries": ", ".join(f"{name} {version(name)}" for name in names if find_spec(name)),
    }


def main() -> None:
    """Print one JSON line for each case and precision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=16)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--vocab", type=int, default=32768)
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = dense_model(given.layers, given.vocab)
    rng = np.random.default_rng(0)
    drawn = rng.integers(_FIRST_PIECE, given.vocab, (given.sentences, LENGTH - 1))
    sources = [[*row, EOS] for row in drawn.tolist()]
    with TemporaryDirectory() as name:
        all_of: dict[str, tuple[Translate, ...]] = {}
        for precision in PRECISIONS:
            folder, other = Path(name) / precision, Path(name) / f"ct2-{precision}"
            export_model(model, folder, precision=precision)
            write_ctranslate2(model, other, None if precision == "fp32" else precision)
            all_of[precision] = ours(folder), theirs(other)
        all_of["fp32"] += (eager(model),)
        if find_spec("pymarian"):
            write_marian(model, Path(name) / "marian")
            all_of["fp32"] += (marian(Path(name) / "marian", beams=(1, 4)),)
        outputs = [translate(sources, 1) for translate in all_of["fp32"]]
        n_equal = sum(len({tuple(x) for x in each}) == 1 for each in zip(*outputs, strict=True))
        print(json.dumps({"equal greedy outputs": n_equal, "sentences": len(sources)}), flush=True)
        for together, beam in CASES:
            times: dict[str, list[tuple[float, ...]]] = {precision: [] for precision in all_of}
            for run in range(1 + given.runs):
                for precision, each in all_of.items():
                    timed = tuple(seconds(x, sources, together, beam) for x in each)
                    if run:  # the first turn warms up
                        times[precision].append(timed)
            for precision, turns in times.items():
                ratios = [turn[0] / turn[1] for turn in turns]
                line = {
                    "together": together,
                    "beam": beam,
                    "precision": precision,
                    "ms": round(1000 * median(turn[0] for turn in turns), 2),
                    "ctranslate2_ms": round(1000 * median(turn[1] for turn in turns), 2),
                    "ratio": round(median(ratios), 3),
                    "interval": interval(ratios),
                    **_of_others(turns),
                    **backends(),
                }
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
