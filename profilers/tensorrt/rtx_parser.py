"""This module asks the parser of TensorRT for RTX about a graph, when the extra ``rtx`` is there.

The parser needs no GPU. It runs in its own process, so that a crash ends only that process.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

MODULE = "tensorrt_rtx"
_SECONDS = 120.0
# The program imports nothing of AutoMoE, and AutoMoE's folder is not on its path.
_PROGRAM = """
import json, sys
import tensorrt_rtx as trt

logger = trt.Logger(trt.Logger.INTERNAL_ERROR)
network = trt.Builder(logger).create_network(0)
parser = trt.OnnxParser(network, logger)
is_parsed = parser.parse_from_file(sys.argv[1])
errors = [parser.get_error(i) for i in range(parser.num_errors)]
refusals = [
    {
        "node": error.node_name() or "node %d" % error.node(),
        "operator": error.node_operator(),
        "reason": "%s: %s" % (error.code().name, error.desc()),
    }
    for error in errors
]
answer = {"version": trt.__version__, "is_parsed": is_parsed, "refusals": refusals}
print(json.dumps({**answer, "n_layers": network.num_layers}))
"""


@dataclass(frozen=True, slots=True)
class ParserRefusal:
    """One node that the parser does not take.

    Attributes:
        node: The name of the node, or its place.
        operator: The operator of the node.
        reason: The parser's message, in one line.
    """

    node: str
    operator: str
    reason: str


@dataclass(frozen=True, slots=True)
class ParserVerdict:
    """The parser's verdict on a graph.

    Attributes:
        version: The version of TensorRT for RTX.
        is_parsed: Whether the parser took the graph.
        n_layers: The number of layers of the parsed network.
        refusals: The nodes that the parser refused.
    """

    version: str
    is_parsed: bool
    n_layers: int
    refusals: tuple[ParserRefusal, ...]


def missing_parser() -> str | None:
    """Return the reason why the parser cannot be asked, with the remedy; None when it can."""
    if find_spec(MODULE) is None:
        return f"{MODULE} is not installed; pip install tensorrt_rtx nvidia-cuda-runtime"
    return None


def parser_verdict(path: Path) -> ParserVerdict:
    """Ask the parser about a graph. The weights beside the graph must exist.

    Raises:
        RuntimeError: The parser crashed or did not end in time.
        OSError: The file cannot be read.
    """
    with path.open("rb"):
        pass
    answer = _answer([sys.executable, "-P", "-c", _PROGRAM, str(path.resolve())])
    refusals = tuple(
        ParserRefusal(x["node"], x["operator"], " ".join(x["reason"].split()))
        for x in answer["refusals"]
    )
    return ParserVerdict(
        str(answer["version"]), bool(answer["is_parsed"]), int(answer["n_layers"]), refusals
    )


def _answer(argv: Sequence[str]) -> dict[str, Any]:
    try:
        run = subprocess.run(argv, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise RuntimeError(
            f"The parser of {MODULE} did not end within {_SECONDS:g} s. Simplify the graph."
        ) from None
    try:
        return dict(json.loads(run.stdout))
    except ValueError:
        last = run.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["(none)"]
        raise RuntimeError(
            f"The parser of {MODULE} died, exit status {run.returncode}. Its last words: {last[0]}"
        ) from None
