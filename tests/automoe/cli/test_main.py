import os

import pytest

from automoe.cli.main import main


@pytest.mark.parametrize(
    ("command", "policy"),
    [
        ("space", "PASSIVE"),
        ("search", "PASSIVE"),
        ("train", None),
        ("finetune", None),
        ("ranking", None),
        ("run", None),
    ],
)
def test_threads_of_a_training_do_not_fall_asleep_at_once(
    command: str, policy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "")  # so that it is restored
    monkeypatch.delenv("OMP_WAIT_POLICY")
    assert main([command]) == 2  # nothing is given to it
    assert os.environ.get("OMP_WAIT_POLICY") == policy


def test_a_policy_of_the_user_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert main(["space"]) == 2
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
