"""Whether the 95 % interval holds the truth, in sessions on machines that disturb it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.scripted import CommandDevice
from support.simulated import TRUTH_MS, SimulatedMachine

from profilers import Measurement, Point, Protocol, Sentinel, measure_points

N_SESSIONS = 300
POINTS = [Point(point_id=name, workload=Path(f"{name}.json")) for name in "abcdef"]
SENTINEL = Sentinel(name="s", workload=Path("sentinel.json"))


def session(
    machine: SimulatedMachine, *, reference_ms: float | None = None, **settings: Any
) -> list[Measurement]:
    outcomes = measure_points(
        POINTS,
        device=CommandDevice(""),
        protocol=Protocol(cooldown_seconds=0, seed=machine.n_processes, **settings),
        sentinel=Sentinel(name="s", workload=Path("sentinel.json"), reference_ms=reference_ms),
        open_worker=machine.open,
    )
    return [outcome for outcome in outcomes if isinstance(outcome, Measurement)]


def coverage(
    make: Callable[[np.random.Generator], SimulatedMachine],
    *,
    truth: float = 1.0,
    reference_ms: float | None = None,
) -> float:
    """The share of points, over all sessions, whose interval holds `truth` times its level.

    An interval is one at the level to which its row is corrected.
    """
    held = [
        row.ci_low_ms <= truth * _level(row) * TRUTH_MS[row.point_id] <= row.ci_high_ms
        for seed in range(N_SESSIONS)
        for row in session(make(np.random.default_rng(seed)), reference_ms=reference_ms)
    ]
    assert len(held) == N_SESSIONS * len(POINTS)
    return float(np.mean(held))


QUICK: dict[str, Any] = {  # three samples in a block, because only whole blocks scatter here
    "samples_per_block": 1,
    "block_seconds": 0.0,
    "group_ms": 1e-6,
}
STANDARD, FAST = Protocol(**QUICK), replace(Protocol.fast(), **QUICK)


def coverage_of_noisy_points(
    noisy: float, quiet: float, protocol: Protocol, n_sessions: int, **machine_settings: Any
) -> float:
    """The coverage of two points that scatter by `noisy`, among four that scatter by `quiet`."""
    scatter = {"a": noisy, "d": noisy, "sentinel": 0.0}
    held = []
    for seed in range(n_sessions):
        rng = np.random.default_rng(seed)
        machine = SimulatedMachine(
            rng, process_noise=quiet, process_noise_of=scatter, **machine_settings
        )
        outcomes = measure_points(
            POINTS,
            device=CommandDevice(""),
            protocol=replace(protocol, seed=seed),
            sentinel=SENTINEL,
            open_worker=machine.open,
        )
        for row in outcomes:
            assert isinstance(row, Measurement)
            assert row.ci_low_ms <= row.latency_ms <= row.ci_high_ms
            if row.point_id in ("a", "d"):
                held.append(row.ci_low_ms <= TRUTH_MS[row.point_id] <= row.ci_high_ms)
    assert len(held) == 2 * n_sessions
    return float(np.mean(held))


@pytest.mark.parametrize("protocol", [STANDARD, FAST], ids=["standard", "fast"])
def test_the_interval_of_a_point_noisier_than_its_neighbours_is_its_own(protocol: Protocol) -> None:
    # With the neighbours' spread in its interval, less than 80 % would hold. One standard
    # deviation of a share of 200 intervals is 1.6 points: the next test asks for 93 %.
    assert coverage_of_noisy_points(0.03, 0.005, protocol, 100) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize(("noisy", "quiet"), [(0.03, 0.005), (0.02, 0.01), (0.06, 0.005)])
@pytest.mark.parametrize(
    "protocol",
    [
        pytest.param(STANDARD, id="standard"),
        pytest.param(FAST, id="fast"),
        pytest.param(replace(Protocol.verification(), **QUICK), id="verification"),
    ],
)
def test_the_interval_covers_the_truth_when_points_differ_in_noise(
    noisy: float, quiet: float, protocol: Protocol
) -> None:
    # 2000 intervals: one standard deviation of the share is 0.5 points.
    assert coverage_of_noisy_points(noisy, quiet, protocol, 1000) >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize("protocol", [STANDARD, FAST], ids=["standard", "fast"])
@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(lambda rng: rng.standard_t(3) / np.sqrt(3), id="heavy tails"),
        pytest.param(lambda rng: rng.laplace() / np.sqrt(2), id="laplace"),
    ],
)
def test_the_interval_covers_the_truth_when_blocks_have_heavy_tails(
    draw: Callable[[np.random.Generator], float], protocol: Protocol
) -> None:
    assert coverage_of_noisy_points(0.03, 0.005, protocol, 500, process_draw=draw) >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize("n_blocks", [2, 3, 4, 5])
def test_the_interval_covers_the_truth_with_any_number_of_blocks(n_blocks: int) -> None:
    protocol = replace(STANDARD, min_rounds=n_blocks, max_rounds=n_blocks)
    assert coverage_of_noisy_points(0.03, 0.005, protocol, 1000) >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize(
    "noise",
    [
        pytest.param({"noise": 0.03}, id="iid"),
        pytest.param({"noise": 0.01, "process_noise": 0.01}, id="process"),
        pytest.param({"noise": 0.03, "process_noise": 0.02}, id="wide"),
        # A slow sample in five, by 20 %: the median over samples is hardly moved.
        pytest.param({"noise": 0.01, "slow_share": 0.2, "slow_factor": 1.2}, id="bimodal"),
    ],
)
def test_the_interval_covers_the_truth(noise: dict[str, float]) -> None:
    def make(rng: np.random.Generator) -> SimulatedMachine:
        return SimulatedMachine(rng, **noise)  # type: ignore[arg-type]

    # The median of a sample that is slow with probability q is the fast mode's 1/(2-2q) quantile.
    share = noise.get("slow_share", 0.0)
    shift = noise["noise"] * _normal_quantile(0.5 / (1 - share)) if share else 0.0
    assert coverage(make, truth=float(np.exp(shift))) >= 0.93


@pytest.mark.slow
def test_the_interval_covers_the_truth_when_noise_lasts() -> None:
    # The sentinel shares such noise, and a session's own level of it is off by some of it. The
    # interval is one at this level.
    def make(rng: np.random.Generator) -> SimulatedMachine:
        return SimulatedMachine(rng, noise=0.03, correlation=0.95)

    assert coverage(make, reference_ms=TRUTH_MS["sentinel"]) >= 0.93
    assert coverage(make) >= 0.93


@pytest.mark.slow
def test_the_interval_covers_the_truth_on_a_drifting_machine() -> None:
    # 12 % slower over the session, with waves of 4 % on top.
    def make(rng: np.random.Generator) -> SimulatedMachine:
        return SimulatedMachine(
            rng,
            noise=0.01,
            process_noise=0.005,
            drift=lambda s: 1 + 0.12 * min(s / 12, 1) + 0.04 * np.sin(2 * np.pi * s / 5),
        )

    assert coverage(make, reference_ms=TRUTH_MS["sentinel"]) >= 0.93


@pytest.mark.slow
def test_the_interval_covers_the_truth_on_a_machine_that_throttles_now_and_then() -> None:
    # 30 % slower for a fifth of a second in every four.
    def make(rng: np.random.Generator) -> SimulatedMachine:
        return SimulatedMachine(rng, noise=0.01, throttled=lambda s: s % 4 < 0.2)

    assert coverage(make) >= 0.93


def test_drift_is_corrected_and_flagged() -> None:
    def make(seed: int) -> SimulatedMachine:
        rng = np.random.default_rng(seed)
        return SimulatedMachine(rng, noise=0.01, drift=lambda s: 1.15 if s > 2 else 1.0)

    measured = [found for seed in range(10) for found in session(make(seed), chunk_size=2)]
    late = [found for found in measured if found.sentinel_drift > 1.1]
    assert len(late) > 10
    assert all("sentinel_drift" in found.flags for found in late)
    raw = np.median([found.raw_latency_ms / TRUTH_MS[found.point_id] for found in late])
    corrected = [found.latency_ms / TRUTH_MS[found.point_id] for found in late]
    assert raw == pytest.approx(1.15, abs=0.02)
    assert np.median(corrected) == pytest.approx(1.0, abs=0.02)


def test_throttled_blocks_are_repeated_and_do_not_count() -> None:
    machine = SimulatedMachine(
        np.random.default_rng(0), noise=0.002, throttled=lambda s: s % 3 < 0.2
    )
    measured = session(machine)
    attempts = [a for found in measured for block in found.samples for a in block["attempts"]]
    assert sum("throttled" in attempt["disturbances"] for attempt in attempts) >= 3
    assert not any("throttled" in a["disturbances"] for a in attempts if a["kept"])
    assert all("throttled" not in found.flags for found in measured)


def test_a_machine_that_throttles_all_the_time_is_flagged() -> None:
    machine = SimulatedMachine(np.random.default_rng(0), throttled=lambda s: True)
    measured = session(machine)
    assert {found.quality for found in measured} == {"C"}
    assert all("throttled" in found.flags for found in measured)


def _level(row: Measurement) -> float:
    """The level to which a row is corrected, over the machine's true one."""
    return row.sentinel_reference_ms / TRUTH_MS["sentinel"]


def _normal_quantile(share: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(share))
