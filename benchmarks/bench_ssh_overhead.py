"""Claim: over SSH a block takes at most 50 ms more than the measurement itself.

The requests of a block (load, warm up, measure, unload) of ``wmt14-en-de`` subnets are sent to a
worker that answers at once, with as much text as a real block. Therefore all the time is overhead:
the client checks whether the graphs have changed and whether the host has them, sends requests and
waits for answers. The time of the same requests to a local worker is subtracted. The graphs of a
subnet are sent when it is loaded for the first time; that time is printed separately. Without
``--host`` the host is an SSH server on the loopback address. A real network adds the delay of four
round trips to each block.

    python benchmarks/bench_ssh_overhead.py [--host user@board] [--subnets 5] [--rounds 20]
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from statistics import median, quantiles

from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.export import WorkloadWriter
from devices.cpu import CpuDevice
from devices.remote.address import RemoteAddress
from devices.remote.device import RemoteDevice, open_remote_device
from profilers import WorkerProcess
from profilers.workers import sent_program
from profilers.workers.local import OpenWorker
from profilers.workers.remote import RemoteWorker

INSTANT_WORKER = """
import json, sys
sample = {"wall_ms": 12.345678, "cpu_ms": 12.3456, "call_ms": {"encoder": 1.2345, "decoder": 9.8}}
block = {"samples": [sample] * 100, "sentinel_ms": [[1.234567] * 20] * 11}
for line in sys.stdin:
    print(json.dumps(block if json.loads(line)["op"] == "block" else {"pid": 1}), flush=True)
"""


def block_ms(worker: OpenWorker, workload: Path) -> float:
    """Return the milliseconds of a block's requests."""
    start = time.perf_counter()
    worker.request("load", id="point", workload=str(workload), threads=1)
    for op in ("warmup", "block", "unload"):
        worker.request(op, id="point")
    return (time.perf_counter() - start) * 1000


def rounds_ms(
    worker: OpenWorker, workloads: list[Path], rounds: int
) -> tuple[list[float], list[float]]:
    """Return the milliseconds of each workload's first block, and those of all later blocks."""
    first = [block_ms(worker, workload) for workload in workloads]
    return first, [block_ms(worker, each) for _ in range(rounds) for each in workloads]


@contextmanager
def remote_device(host: str | None, folder: Path) -> Iterator[RemoteDevice]:
    """Open the device of the given host, or of a server on the loopback address."""
    if host is not None:
        with open_remote_device("cpu", RemoteAddress(host)) as device:
            yield device
        return
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from support.loopback import LoopbackServer

    server = LoopbackServer(folder)
    server.prepare()
    server.start()
    os.environ["PATH"] = f"{server.program_folder}:{os.environ['PATH']}"
    try:
        with open_remote_device("cpu", RemoteAddress("board", sys.executable)) as device:
            yield device
    finally:
        server.stop()


def timed(action: Callable[[], object]) -> float:
    """Return the milliseconds that an action takes."""
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host")
    parser.add_argument("--subnets", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    space = SearchSpace.preset("wmt14-en-de", max_experts=6)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "server").mkdir()
        sent_program.worker_program = lambda runtime: INSTANT_WORKER.encode()  # type: ignore[assignment]
        writer = WorkloadWriter(folder / "graphs", TranslationWorkload.of(space))
        rng = Random(0)
        workloads = [writer.write(space.sample(rng)) for _ in range(options.subnets)]
        with WorkerProcess(CpuDevice()) as worker:
            _, local_ms = rounds_ms(worker, workloads, options.rounds)
        with remote_device(options.host, folder / "server") as device:
            opened = RemoteWorker(device)
            start_ms = timed(opened.__enter__)
            first_ms, later_ms = rounds_ms(opened, workloads, options.rounds)
            opened.__exit__(None, None, None)
            sent_mb = device.host.files.sent_bytes / 2**20
    overhead_ms = median(later_ms) - median(local_ms)
    print(f"a worker's start {start_ms:.0f} ms; {sent_mb:.0f} MB sent, first times: ")
    print(" ".join(f"{each:.0f}" for each in first_ms) + " ms")
    print(
        f"a block over SSH: median {median(later_ms):.1f} ms, 95 % within "
        f"{quantiles(later_ms, n=20)[-1]:.1f} ms; local {median(local_ms):.1f} ms; "
        f"overhead {overhead_ms:.1f} ms of at most 50: {'held' if overhead_ms <= 50 else 'MISSED'}"
    )


if __name__ == "__main__":
    main()
