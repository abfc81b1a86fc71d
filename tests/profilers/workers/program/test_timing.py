import ast
import hashlib
from pathlib import Path

import pytest
from support.workers import TimedWorkload

from profilers.workers import program
from profilers.workers.program.timing import samples_for

# What decides how long a run takes and what of it is timed.
TIMING = ("loaded_workload.py", "onnx_runtime.py", "tensorrt/session.py")
DIGEST = "5978adb5c80ed6d8"


@pytest.mark.parametrize(
    ("walls_ms", "at_least_ms", "most", "kept"),
    [
        pytest.param([9, 2, 3, 4, 5], 10, 9, [9, 2], id="ends when its time is up"),
        pytest.param([9, 2, 3, 4, 5], 99, 3, [2, 3, 4], id="a first short one is left out"),
        pytest.param([50, 1], 10, 9, [50], id="one at least"),
    ],
)
def test_a_burst(walls_ms: list[float], at_least_ms: float, most: int, kept: list[float]) -> None:
    taken = samples_for(TimedWorkload(*walls_ms), at_least_ms, most)
    assert [sample["wall_ms"] for sample in taken] == kept


def test_runs_are_not_timed_in_another_way_under_one_version() -> None:
    folder = Path(program.__path__[0])
    code = "".join(_code(folder / name) for name in TIMING)
    assert hashlib.sha256(code.encode()).hexdigest()[:16] == DIGEST, (
        "The code that runs and times graphs has changed. If latencies may differ by it, logs of "
        "before must not go on: raise SCHEMA_VERSION in profilers/measuring/measurement.py by one. "
        "Then write this digest into DIGEST."
    )


def _code(path: Path) -> str:
    """The code of a module without comments and documentation, in one form for every Python."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        match getattr(node, "body", None):
            case [ast.Expr(ast.Constant(str())), *others]:
                node.body = others or [ast.Pass()]
    return ast.unparse(tree)
