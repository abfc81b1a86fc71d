from pathlib import Path

import pytest
from filelock import FileLock

from automoe.file_lock import held


def test_what_another_process_holds_is_refused_and_what_it_let_go_is_not(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with (
        FileLock(lock),
        pytest.raises(LookupError, match="taken"),
        held(lock, LookupError("taken")),
    ):
        pass
    with held(lock, LookupError("taken")), pytest.raises(LookupError, match="taken"):  # noqa: SIM117
        with held(lock, LookupError("taken")):
            pass
    with held(lock, LookupError("taken")):
        pass


def test_a_singleton_may_be_held_again_by_its_own_process(tmp_path: Path) -> None:
    lock, refusal = tmp_path / "lock", LookupError("taken")
    with held(lock, refusal, is_singleton=True):
        with held(lock, refusal, is_singleton=True):
            pass
        with pytest.raises(LookupError, match="taken"), held(lock, refusal):  # held still
            pass
