"""A worker whose samples are written down beforehand; `support.scripted` starts it.

It speaks the protocol of `profilers/workers/program/worker.py`. A "workload" is a JSON file that
says what each of its blocks measures and which requests go wrong. Every request is first written to
the journal given on the command line, so that scripts go on where an earlier process left off.
"""

import json
import os
import sys
import time
from pathlib import Path

JOURNAL = Path(sys.argv[1])
loaded = {}


def occurrence(request):
    """How often this has been asked of this workload already, by any process."""
    record = {**request, "pid": os.getpid(), "workload": workload_of(request)}
    lines = JOURNAL.read_text().splitlines() if JOURNAL.exists() else []
    earlier = [json.loads(line) for line in lines]
    with JOURNAL.open("a") as file:
        file.write(json.dumps(record) + "\n")
    same = ("op", "id", "workload")
    return sum(all(item.get(key) == record.get(key) for key in same) for item in earlier)


def workload_of(request):
    path = request.get("workload") or loaded.get(request.get("id"))
    return path and Path(path).stem


def script_of(request):
    path = request.get("workload") or loaded.get(request.get("id"))
    return json.loads(Path(path).read_text()) if path else {}


def scripted(values, number):
    """The value of this turn; the last one holds for ever after."""
    return values[min(number, len(values) - 1)]


def block(request, script, number):
    sentinel = json.loads(Path(loaded[request["sentinel"]]).read_text())["wall_ms"]
    journal = map(json.loads, JOURNAL.read_text().splitlines())
    n_read = 2 * (sum(item["op"] == "block" for item in journal) - 1)
    readings_ms = [[scripted(sentinel, n_read)], [scripted(sentinel, n_read + 1)]]
    wall_ms = scripted(script["wall_ms"], number)
    cpu_ms = wall_ms / scripted(script["contention"], number)
    sample = {"wall_ms": wall_ms, "cpu_ms": cpu_ms, "call_ms": {"model": wall_ms}}
    sensors = {side: scripted(script.get(side) or [{}], number) for side in ("before", "after")}
    samples = [{**sample, "group": 0}] * request["samples"]
    return {"samples": samples, "sentinel_ms": readings_ms, "busy_threads": 1, **sensors}


def reply_to(request):
    number, script, op = occurrence(request), script_of(request), request["op"]
    faults = script.get("faults", {})
    fault = faults.get(op, faults.get(f"{op} {number}"))
    if fault == "crash":
        print(f"crashing in {op}", file=sys.stderr)
        os._exit(9)
    if fault == "hang":
        time.sleep(3600)
    if fault == "refuse":
        return {"error": f"RuntimeError: {op} refused by the script"}
    if op == "load":
        loaded[request["id"]] = request["workload"]
    answers = {
        "hello": {"runtime": "scripted", "runtime_version": "1.0", "pid": os.getpid()},
        "load": {"load_ms": 7.0},
        "routing": {"tokens_per_expert": script.get("tokens_per_expert", {})},
    }
    if op == "warmup":
        times = {"seconds": 0.5, "first_ms": 9.0, "run_ms": script.get("run_ms", 10.0)}
        return {"runs": 3, "settled": script.get("settled", True), **times}
    return block(request, script, number) if op == "block" else answers.get(op, {})


for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(reply_to(request)), flush=True)
    if request["op"] == "quit":
        break
