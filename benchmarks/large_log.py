"""Write a long log of `automoe profile`, whose points lie between those of a measured one.

python benchmarks/large_log.py long.csv --rows 100000
"""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from profilers import read_log
from profilers.log.rows import format_line

_MEASURED = Path(__file__).parent / "logs" / "wmt14_en_de_beam5_xeon.csv"
_COUNTS = ("n_samples", "n_blocks", "n_processes", "threads", "schema_version")
_PER_CHUNK = 10_000
_SECONDS_A_ROW = 20
_NOISE = 0.01  # standard deviation of the logarithm of a latency
_HALF_WIDTH = 1.02


def write_long_log(path: Path, n_rows: int, *, seed: int = 0) -> None:
    """Write a log in which each point is a mean of two measured ones, with noise.

    Logs of one length have the same points, whatever their seeds.
    """
    measured = read_log(_MEASURED)
    points, noise = np.random.default_rng(n_rows), np.random.default_rng([n_rows, seed])
    with path.open("wb") as file:
        file.write(format_line(list(measured[0])))
        for start in range(0, n_rows, _PER_CHUNK):
            n = min(_PER_CHUNK, n_rows - start)
            for place, row in enumerate(_rows(measured, n, points, noise), start):
                file.write(
                    format_line(
                        list((row | _identity(row["architecture"], place, n_rows)).values())
                    )
                )


def _rows(
    measured: list[dict[str, str]], n: int, points: np.random.Generator, noise: np.random.Generator
) -> Iterator[dict[str, str]]:
    """Yield rows between two measured ones each."""
    names = [x for x in measured[0] if x not in _COUNTS and _are_numbers(measured, x)]
    values = np.array([[float(row[name]) for name in names] for row in measured])
    first, second = points.integers(len(measured), size=(2, n))
    share = points.random(n)[:, None]
    between = share * values[first] + (1 - share) * values[second]
    is_result = np.array([name.endswith("_ms") and "sentinel" not in name for name in names])
    between *= np.exp(_NOISE * noise.standard_normal((n, 1)) * is_result)
    for place, numbers in zip(first, between.tolist(), strict=True):
        row = measured[place] | dict(zip(names, map(str, numbers), strict=True))
        latency_ms = float(row["latency_ms"])
        row["ci_low_ms"], row["ci_high_ms"] = (
            str(latency_ms / _HALF_WIDTH),
            str(latency_ms * _HALF_WIDTH),
        )
        yield row


def _are_numbers(rows: list[dict[str, str]], name: str) -> bool:
    return all(row[name].replace(".", "", 1).replace("e-", "", 1).isdigit() for row in rows)


def _identity(architecture: str, place: int, n_rows: int) -> dict[str, str]:
    """Return the cells that no two rows share."""
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=_SECONDS_A_ROW * place)
    identity = (place * 0x9E3779B97F4A7C15 + n_rows) % 2**48
    return {
        "point_id": f"{identity:012x}",
        "measured_at": at.isoformat(timespec="milliseconds"),
        "architecture": f'{{"place":{place},{architecture[1:]}',
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise")
    arguments = parser.parse_args()
    write_long_log(arguments.log, arguments.rows, seed=arguments.seed)


if __name__ == "__main__":
    main()
