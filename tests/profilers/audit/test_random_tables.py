from pathlib import Path

import numpy as np
import pytest
from support.random_tables import KINDS, Table, in_other_unit, sound_table, swapped

from profilers import Problem, audit_log


def problems_of(table: Table, path: Path) -> list[Problem]:
    problems = audit_log(table.write(path), targets=tuple(table.shares)).problems
    return [x for x in problems if x.check not in ("duplicates", "constant")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_sound_table_is_not_accused(tmp_path: Path, kind: str) -> None:
    for seed, n in ((0, 20), (1, 60)):
        assert problems_of(sound_table(seed, kind=kind, n=n), tmp_path / "table.csv") == []


def test_planted_faults_are_found_and_nothing_else(tmp_path: Path) -> None:
    for kind in ("transformer", "grid", "power law", "lists", "slow mode"):
        for check, fault in (("unit", in_other_unit), ("swapped", swapped)):
            table, lines = fault(sound_table(5, kind=kind, n=70), np.random.default_rng(0))
            (problem,) = problems_of(table, tmp_path / "table.csv")
            assert (problem.check, set(problem.rows)) == (check, lines)
