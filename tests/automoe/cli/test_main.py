import os

import pytest

from automoe.cli.main import main


@pytest.fixture(autouse=True)
def _nothing_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(name, "")  # so that it is restored
        monkeypatch.delenv(name)


@pytest.mark.parametrize("command", ["space", "profile", "search", "evaluate"])
def test_waiting_threads_leave_the_cores_to_others(command: str) -> None:
    assert main([command]) == 2  # nothing is given to it
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    assert "GOMP_SPINCOUNT" not in os.environ


@pytest.mark.parametrize("command", ["train", "finetune", "ranking", "run"])
def test_threads_of_a_training_do_not_fall_asleep_at_once(command: str) -> None:
    assert main([command]) == 2
    assert "OMP_WAIT_POLICY" not in os.environ
    assert int(os.environ["GOMP_SPINCOUNT"]) > 0


@pytest.mark.parametrize("command", ["space", "train"])
def test_a_policy_of_the_user_is_kept(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert main([command]) == 2
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
    assert "GOMP_SPINCOUNT" not in os.environ
