"""Claim: at least 93 % of the 95 % intervals hold the truth, however much a point scatters.

A simulated point takes blocks until its interval is narrow or its rounds are over, by the rule of
each protocol. The blocks' logarithms scatter normally and independently. The benchmark prints, for
each protocol and scatter, how many intervals hold the truth and how many blocks a point takes, and
then the smallest coverage over all scatters. Points do not depend on each other, so a point that is
noisier than its neighbours is covered like any other.

Then it prints the smallest coverage for noise of other shapes. The claim is not about all of them:
two or three blocks cannot show that they are all slow, or that they follow each other.

    python benchmarks/bench_interval_coverage.py [--points 20000]
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from profilers import Interval, Protocol, median_interval, relative_half_width
from profilers.measuring.measurement import is_decided

SCATTERS = (0.0025, 0.005, 0.01, 0.02, 0.03, 0.06)
PROTOCOLS = {
    "standard": Protocol(),
    "--fast": Protocol.fast(),
    "verification": Protocol.verification(),
    **{f"{n} blocks": Protocol(min_rounds=n, max_rounds=n) for n in (3, 4, 5)},
}

Draw = Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float64]]


def normal(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return independent normal noise. A row has the blocks of a point."""
    return rng.normal(size=shape)


def following(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return normal noise in which neighbouring blocks have a correlation of 0.6."""
    noise = rng.normal(size=shape)
    for i in range(1, shape[1]):
        noise[:, i] = 0.6 * noise[:, i - 1] + 0.8 * noise[:, i]
    return noise


# Each has a standard deviation near 1, and a truth of 0.
SHAPES: dict[str, Draw] = {
    "Student's t of 3": lambda rng, shape: rng.standard_t(3, shape) / np.sqrt(3),
    "Laplace": lambda rng, shape: rng.laplace(size=shape) / np.sqrt(2),
    "noise that triples": lambda rng, shape: normal(rng, shape) * np.linspace(0.5, 1.5, shape[1]),
    "exponential, of its median": lambda rng, shape: rng.exponential(size=shape) - np.log(2),
    "exponential, of its mean": lambda rng, shape: rng.exponential(size=shape) - 1,
    "uniform": lambda rng, shape: rng.uniform(-1, 1, shape) * np.sqrt(3),
    "blocks that follow each other": following,
    "two levels at even odds": lambda rng, shape: np.sign(normal(rng, shape)),
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


def coverage(
    protocol: Protocol, scatter: float, n_points: int, draw: Draw = normal
) -> tuple[float, float]:
    """Return the share of intervals that hold the truth, and the mean number of blocks."""
    logs = draw(np.random.default_rng(0), (n_points, protocol.max_rounds))
    finished = [interval_of(scatter * row, protocol) for row in logs]
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
    print(f"at a budget that is the truth: at least {worst[0]:.1%}, at {worst[1]:.2%}", flush=True)
    for shape, draw in SHAPES.items():
        cells = []
        for name, protocol in list(PROTOCOLS.items())[:3]:
            scatters = protocol.target_half_width * np.array([0.5, 1, 1.5, 2.5])
            least = min(coverage(protocol, x, n_points // 4, draw)[0] for x in scatters)
            cells.append(f"{name} {least:.1%}")
        print(f"{shape}: at least", ", ".join(cells), flush=True)


if __name__ == "__main__":
    main()
