"""Claim: `log check` objects to no sound table, and sees a planted fault in 95 % of tables.

The tables are random, of 36 kinds and 20 to 500 rows (`tests/support/random_tables.py`). The first
printed table counts the sound tables of each kind to which the audit objects, by check. The second
counts the tables in which a planted fault is found, by fault: one row in seconds or microseconds,
the latencies of two rows exchanged, and a machine that becomes 10 % slower. A fault counts as found
when the audit names its line (both lines of an exchange; for the drift: when it says so).

Faults are planted where a careful person could see them. A row in another unit, and both rows of an
exchange, share each of their words and rare numbers with three other rows. The true latencies of
exchanged rows differ at least three times, and by ten standard deviations of the noise. A drift is
planted in at least 60 rows that were measured in random order, where the noise is at most 3 %.

    python benchmarks/bench_log_audit.py --tables 1000
"""

import argparse
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.random_tables import (
    KINDS,
    Table,
    drifting,
    in_other_unit,
    sound_table,
    swapped,
)

from profilers import Problem, audit_log

Fault = Callable[[Table, np.random.Generator], tuple[Table, set[int]] | None]
_FAULTS: tuple[Fault, ...] = (in_other_unit, swapped, drifting)
_LEAST_ROWS_OF_DRIFT = 60
_MOST_NOISE_OF_DRIFT = 0.03


def main() -> None:
    """Print both tables of counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=1000, help="sound tables")
    parser.add_argument("--faults", type=int, default=300, help="tables of each fault")
    parser.add_argument("--first", type=int, default=0, help="the seed of the first table")
    parser.add_argument("--kind", help="only tables of this kind")
    parser.add_argument("--fault", choices=[x.__name__ for x in _FAULTS], help="only this fault")
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.tables)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        count_sound(seeds, path, arguments.kind)
        for fault in _FAULTS:
            if arguments.fault in (None, fault.__name__):
                seeds = range(arguments.first, arguments.first + arguments.faults)
                count_faults(fault, seeds, path, arguments.kind)


def count_sound(seeds: range, path: Path, kind: str | None) -> None:
    """Print how many sound tables of each kind are accused, and of what."""
    accused: dict[str, Counter[str]] = defaultdict(Counter)
    started = time.process_time()
    for seed in seeds:
        table = sound_table(seed, kind=kind)
        for name in {f"{x.check} {x.severity}" for x in objections(table, path)}:
            accused[table.kind][f"{name}"] += 1
            print(f"  seed {seed} {table.kind} of {len(table.cost_ms)} rows: {name}", flush=True)
    seconds = time.process_time() - started
    print(f"{len(seeds)} sound tables of {len(KINDS)} kinds, {seconds:.0f} s of processor time")
    for name, counts in accused.items():
        print(f"  {name:24} {dict(counts)}")
    total = sum(sum(counts.values()) for counts in accused.values())
    print(f"objections to sound tables: {total} in {len(seeds)} tables\n")


def count_faults(fault: Fault, seeds: range, path: Path, kind: str | None) -> None:
    """Print in how many tables a planted fault is found."""
    planted, detected = Counter[str](), Counter[str]()
    for seed in seeds:
        table = sound_table(seed, kind=kind)
        rng = np.random.default_rng([seed, 18])
        if not can_show(fault, table) or (pair := fault(table, rng)) is None:
            continue
        is_found = is_named(fault.__name__, pair[1], objections(pair[0], path))
        planted[table.kind] += 1
        detected[table.kind] += is_found
        if not is_found:
            size = f"{len(table.cost_ms)} rows, noise {table.noise:.1%}"
            print(f"  seed {seed} {table.kind} of {size}: missed", flush=True)
    n_planted = planted.total()
    share = detected.total() / max(1, n_planted)
    missed = {x: f"{n - detected[x]}/{n}" for x, n in planted.items() if detected[x] < n}
    print(f"{fault.__name__:14} found in {share:.1%} of {n_planted}; missed {missed}", flush=True)


def objections(table: Table, path: Path) -> list[Problem]:
    """Return what the audit says of a table, except that rows are equal."""
    return [
        x
        for x in audit_log(table.write(path), targets=tuple(table.shares)).problems
        if x.check not in ("duplicates", "constant")
    ]


def can_show(fault: Fault, table: Table) -> bool:
    """Return whether a careful person could see this fault in this table."""
    if fault is not drifting:
        return len(table.determined) > 0
    noise = float(np.std(np.log(table.latency_ms / table.cost_ms)))
    n = len(table.cost_ms)
    return table.is_random and n >= _LEAST_ROWS_OF_DRIFT and noise <= _MOST_NOISE_OF_DRIFT


def is_named(fault: str, lines: set[int], problems: list[Problem]) -> bool:
    """Return whether one of the problems is the planted fault."""
    if fault == "drifting":
        return any(x.check == "drift" for x in problems)
    check = "unit" if fault == "in_other_unit" else "swapped"
    return any(x.check == check and lines <= set(x.rows) for x in problems)


if __name__ == "__main__":
    main()
