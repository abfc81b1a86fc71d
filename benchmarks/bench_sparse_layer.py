"""Claim: an exported sparse layer takes little more time than its weights and products need.

    python benchmarks/bench_sparse_layer.py [--rounds 15] [--forms fp32 int8 ...]

A layer of 512 with four experts of 2048 computes 1, 5, 30 and 240 tokens on one thread, each expert
as many of them as any other. A dense layer of 2048 stands beside it. Layers with weights of their
own take turns, more of them than the processor's caches hold, so that all weights are cold.

`floor_us` is the larger of two times: that of reading the touched weights once, and that of the
multiplications. Memory is as fast as torch adds up a large array, which reads it faster than a
product does, and the processor as fast as a large product of the same form computes; both are
measured in each round.
`ratio` is the median over the rounds of time over floor, with a 95 % interval from resampled
rounds.
"""

import argparse
import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from bench_translation import interval
from onnx import TensorProto

from automoe.architecture.architecture import EncoderLayer
from automoe.architecture.routing_pattern import router_bias
from automoe.deployed.sessions import open_session
from automoe.export.experts import feed_forward
from automoe.export.graph import GraphBuilder
from automoe.export.weights import RandomBlob

DIM, WIDTH, N_EXPERTS = 512, 2048, 4
TOKENS = (1, 5, 30, 240)
FORMS = ("fp32", "int8", "int8-weights", "int4-weights")
_COLD_BYTES = 512 << 20  # of all layers that take turns, many times a cache
_READ = 1 << 26  # the numbers by whose sum memory is timed
_LARGE = (512, 2048, 2048)  # tokens, inputs and outputs of the product by which computing is timed
_BYTES = {"fp32": 4.0, "int8": 1.0, "int8-weights": 1 + 4 / 32, "int4-weights": 0.5 + 4 / 32}

Run = Callable[[], Any]


@dataclass(frozen=True)
class Case:
    """A layer with a number of tokens.

    Attributes:
        runs: The calls of layers with different weights.
        n_bytes: The bytes of the weights that a call touches.
        n_flops: The floating-point operations of a call, two for each multiplication.
    """

    runs: Sequence[Run]
    n_bytes: float
    n_flops: float


class Layers:
    """Layers of one form whose weights lie apart in one file.

    Args:
        folder: The folder of the graphs.
        form: The precision of the products.
        experts: The widths of the experts.
    """

    def __init__(self, folder: Path, form: str, experts: Sequence[int]) -> None:
        self.n_experts = len(experts)
        self.expert_bytes = 2 * DIM * experts[0] * _BYTES[form]
        n_layers = max(4, round(_COLD_BYTES / (self.n_experts * self.expert_bytes)))
        blob = RandomBlob(folder / f"weights.{form}.bin", precision=form)
        layer, end = EncoderLayer(heads=8, experts=tuple(experts)), 0
        self.sessions = []
        for number in range(n_layers):
            weights = blob.graph_weights(end)
            graph = GraphBuilder("layer", weights)
            graph.input("x", TensorProto.FLOAT, ["tokens", DIM])
            bias = None
            if layer.is_sparse:
                bias = graph.input("route", TensorProto.FLOAT, ["tokens", self.n_experts])
            served = feed_forward(graph, "x", layer, name="layer", dim=DIM, bias_TN=bias)
            graph.output(served.out_TD, "y", TensorProto.FLOAT, ["tokens", DIM])
            path = folder / f"{form}.{self.n_experts}.{number}.onnx"
            graph.save(path)
            end = weights.end
            self.sessions.append(open_session(path))

    def case(self, n_tokens: int) -> Case:
        """Return the calls of all layers with so many tokens."""
        rng = np.random.default_rng(n_tokens)
        feeds = {"x": rng.standard_normal((n_tokens, DIM), dtype=np.float32)}
        if self.n_experts > 1:
            expert_T = rng.permutation(np.arange(n_tokens) % self.n_experts)
            feeds["route"] = router_bias(expert_T, self.n_experts)
        runs = [_run(session, feeds) for session in self.sessions]
        n_touched = min(self.n_experts, n_tokens)
        flops = n_tokens * 4 * DIM * WIDTH
        return Case(runs, n_touched * self.expert_bytes, flops)


def _run(session: Any, feeds: dict[str, Any]) -> Run:
    return lambda: session.run(["y"], feeds)


def product(folder: Path, form: str, shape: tuple[int, int, int], name: str) -> Run:
    """Return the call of one product of ``[tokens, inputs]`` and ``[inputs, outputs]``."""
    n_tokens, n_inputs, n_outputs = shape
    graph = GraphBuilder(
        "product", RandomBlob(folder / f"{name}.{form}.bin", precision=form).graph_weights()
    )
    graph.input("x", TensorProto.FLOAT, ["tokens", n_inputs])
    value = graph.linear("x", "product", n_inputs, n_outputs)
    graph.output(value, "y", TensorProto.FLOAT, ["tokens", n_outputs])
    path = folder / f"{name}.{form}.onnx"
    graph.save(path)
    x = np.random.default_rng(0).standard_normal((n_tokens, n_inputs), dtype=np.float32)
    return _run(open_session(path), {"x": x})


def seconds(runs: Sequence[Run], n: int) -> float:
    """Return the median seconds of so many calls, which take turns."""
    times = []
    for run in islice(cycle(runs), n):
        start = perf_counter()
        run()
        times.append(perf_counter() - start)
    return median(times)


def main() -> None:
    """Print one JSON line for each form, layer and number of tokens."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    for form in given.forms:
        with TemporaryDirectory() as name:
            measure(Path(name), form, rounds=given.rounds)


def measure(folder: Path, form: str, *, rounds: int) -> None:
    """Time the layers of one form, and print their lines."""
    read = torch.ones(_READ).sum
    compute = product(folder, form, _LARGE, "large")
    kinds = {
        "sparse": Layers(folder, form, [WIDTH] * N_EXPERTS),
        "dense": Layers(folder, form, [WIDTH]),
    }
    cases = {(kind, n): layers.case(n) for kind, layers in kinds.items() for n in TOKENS}
    times: dict[tuple[str, int], list[tuple[float, float]]] = {key: [] for key in cases}
    speeds = []
    for turn in range(1 + rounds):
        bytes_per_s = 4 * _READ / seconds([read], 3)
        flops_per_s = 2 * _LARGE[0] * _LARGE[1] * _LARGE[2] / seconds([compute], 3)
        for key, case in cases.items():
            taken_s = seconds(case.runs, len(case.runs))
            floor_s = max(case.n_bytes / bytes_per_s, case.n_flops / flops_per_s)
            if turn:  # the first turn warms up
                times[key].append((taken_s, floor_s))
        speeds.append((bytes_per_s, flops_per_s))
    gigabytes, gigaflops = (median(x) / 1e9 for x in zip(*speeds[1:], strict=True))
    for (kind, n_tokens), turns in times.items():
        ratios = [taken / floor for taken, floor in turns]
        line = {
            "form": form,
            "layer": kind,
            "tokens": n_tokens,
            "us": round(1e6 * median(taken for taken, _ in turns), 1),
            "floor_us": round(1e6 * median(floor for _, floor in turns), 1),
            "ratio": round(median(ratios), 3),
            "interval": interval(ratios),
            "read_gb_per_s": round(gigabytes, 1),
            "gflops": round(gigaflops, 1),
            "processor": platform.processor() or platform.machine(),
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
