"""Claim: at least 93 % of the 95 % intervals hold the truth, whatever the noise of a point.

A simulated point takes blocks until its interval is narrow or its rounds are over, by the rule of
each protocol. The blocks' logarithms scatter normally. The benchmark prints, for each protocol and
scatter, how many intervals hold the truth and how many blocks a point takes, at least and at most
over its points, and then the smallest coverage over all scatters. Points do not depend on each
other, so a point that is noisier than its neighbours is covered like any other.

    python benchmarks/bench_interval_coverage.py [--points 20000]
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from profilers import Interval, Protocol, median_interval, relative_half_width
from profilers.measuring.measurement import is_decided

SCATTERS = (0.0025, 0.005, 0.01, 0.02, 0.03, 0.06)
PROTOCOLS = {
    "standard": Protocol(),
    "--fast": Protocol.fast(),
    "verification": Protocol.verification(),
    **{f"{n} blocks": Protocol(min_rounds=n, max_rounds=n) for n in (3, 4, 5)},
}


def interval_of(logs: Sequence[float], protocol: Protocol) -> tuple[Interval, int]:
    """Return the interval with which a point is finished, and its number of blocks."""
    n, times_ms = protocol.min_rounds, np.exp(logs).tolist()
    while True:
        interval = median_interval(times_ms[:n], looks=protocol.looks)
        is_narrow = relative_half_width(interval) <= protocol.target_half_width
        decide_ms = protocol.decide_ms
        if is_narrow or n == protocol.max_rounds or (decide_ms and is_decided(interval, decide_ms)):
            return interval, n
        n += 1


def coverage(protocol: Protocol, scatter: float, n_points: int) -> tuple[float, float]:
    """Return the share of intervals that hold the truth, and the mean number of blocks."""
    rng = np.random.default_rng(0)
    logs = rng.normal(0, scatter, size=(n_points, protocol.max_rounds))
    finished = [interval_of(row, protocol) for row in logs]
    held = np.mean([interval.low <= 1 <= interval.high for interval, _ in finished])
    return float(held), float(np.mean([n for _, n in finished]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=20000)
    n_points = parser.parse_args().points
    print("coverage / blocks", *(f"{scatter:>12.2%}" for scatter in SCATTERS), sep="  ")
    for name, protocol in PROTOCOLS.items():
        cells = [coverage(protocol, scatter, n_points) for scatter in SCATTERS]
        print(f"{name:17}", *(f"{held:7.1%} {n:4.1f}" for held, n in cells), sep="  ", flush=True)
    for name, protocol in list(PROTOCOLS.items())[:3]:
        scatters = protocol.target_half_width * np.geomspace(0.5, 4, 13)
        worst = min((coverage(protocol, x, n_points)[0], x) for x in scatters)
        print(f"{name}: at least {worst[0]:.1%}, at a scatter of {worst[1]:.2%}", flush=True)
    decided = replace(Protocol.verification(), decide_ms=1.0)
    worst = min((coverage(decided, x, n_points)[0], x) for x in SCATTERS)
    print(f"at a budget that is the truth: at least {worst[0]:.1%}, at {worst[1]:.2%}")


if __name__ == "__main__":
    main()
