"""Claim: at least 20 times as many subnets are profiled per minute as by AutoMoE's own protocol.

Two protocols measure random ``wmt14-en-de`` subnets at beam 5; the slow one measures fewer of them.

This toolkit's is that of `automoe.latency.architecture_profiling`, with its default protocol. It
aims at 95 % intervals over fresh processes with half-widths of 2 %. It does not always reach them,
so the half-widths are printed beside the ratio.

The paper's is that of AutoMoE's `latency_dataset.py`: eager torch, 5 dry runs, then N runs of the
encoder and N of the decoder with its cache, in one process, and the mean of the middle 80 %. Its
published figures have N = 300. Here it runs this toolkit's model, in evaluation mode and without
gradients, which is faster than the paper's. It computes no interval, so the naive one over its runs
is printed. Only ``--runs`` of the 300 runs are made, and the time of one is multiplied.

    python benchmarks/bench_profiling_speed.py [--subnets 8] [--eager-subnets 3] [--runs 20]
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from statistics import mean, median

import numpy as np
import torch

from automoe.architecture.architecture import Architecture
from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.latency.architecture_profiling import profile_architectures
from automoe.supernet import Transformer, TransformerConfig
from devices import get_device
from profilers import Protocol, read_log

BEAM, DRY_RUNS, PUBLISHED_RUNS = 5, 5, 300


def eager_seconds(
    architecture: Architecture, workload: TranslationWorkload, runs: int
) -> tuple[float, float]:
    """Return the seconds of the paper's protocol and the naive interval's relative half-width."""
    config = TransformerConfig.of(
        architecture,
        vocab_size=workload.vocab_size,
    )
    model = Transformer(config).eval()
    rng = torch.Generator().manual_seed(0)
    source_1S = torch.randint(4, workload.vocab_size, (1, workload.src_len), generator=rng)
    memory = model.encode(source_1S.expand(BEAM, -1))
    token_B1 = torch.full((BEAM, 1), 7)

    def decode() -> None:
        cache = model.start(memory)
        for _ in range(workload.tgt_len):
            _, cache = model.decode(token_B1, cache)

    totals_s = []
    for number in range(DRY_RUNS + runs):
        start = time.perf_counter()
        model.encode(source_1S)
        decode()
        if number >= DRY_RUNS:
            totals_s.append(time.perf_counter() - start)
    half = 1.96 * np.std(totals_s) / np.sqrt(PUBLISHED_RUNS) / mean(totals_s)
    return (DRY_RUNS + PUBLISHED_RUNS) * mean(totals_s), float(half)


def ours(
    architectures: Sequence[Architecture], space: SearchSpace, workload: TranslationWorkload
) -> tuple[float, list[float]]:
    """Return the seconds for all of them and the relative half-widths of their intervals."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = time.perf_counter()
        profile_architectures(
            architectures,
            device=get_device("cpu"),
            protocol=Protocol(),
            workload=workload,
            space=space,
            log=folder / "log.csv",
            graphs=folder / "graphs",
        )
        seconds = time.perf_counter() - start
        rows = read_log(folder / "log.csv")
    return seconds, [
        (float(row["ci_high_ms"]) / float(row["ci_low_ms"])) ** 0.5 - 1 for row in rows
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subnets", type=int, default=8)
    parser.add_argument("--eager-subnets", type=int, default=3)
    parser.add_argument("--runs", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    space = SearchSpace.load("wmt14-en-de", max_experts=6, fractional=True)
    workload = TranslationWorkload.of(space, beam=BEAM)
    rng = Random(0)
    architectures = [space.sample(rng) for _ in range(arguments.subnets)]
    with torch.no_grad():
        eager = [
            eager_seconds(architecture, workload, arguments.runs)
            for architecture in architectures[: arguments.eager_subnets]
        ]
    seconds, half_widths = ours(architectures, space, workload)
    eager_s, ours_s = mean(one for one, _ in eager), seconds / len(architectures)
    result = {
        "ratio": eager_s / ours_s,
        "eager_s_per_subnet": eager_s,
        "ours_s_per_subnet": ours_s,
        "eager_naive_half_width": median(half for _, half in eager),
        "ours_half_width_median": median(half_widths),
        "ours_half_widths": half_widths,
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
