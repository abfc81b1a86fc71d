from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest
from support.small_text import small_space

from automoe.architecture.translation_workload import TranslationWorkload
from automoe.latency.features import feature_table
from automoe.latency.model import LatencyModel
from automoe.search.assembly import TargetDevice, why_unverified
from devices import opening
from devices.opening import opened_device
from predictors import fit_log


def test_a_winner_outside_the_log_is_told_when_nothing_measures_it() -> None:
    rng, measured = Random(0), small_space(max_experts=1)
    drawn = [measured.sample(rng) for _ in range(40)]
    workload = TranslationWorkload.of(measured)
    frame = feature_table(drawn, workload)
    frame["latency_ms"] = 1e-6 * frame["feature_total_mflops"] + [rng.gauss(1, 0.01) for _ in drawn]
    latency = LatencyModel(fit_log(frame), workload)
    assert why_unverified(drawn[0], latency) == (
        "not measured; give --device to have the budget verified"
    )
    many = small_space(max_experts=3)
    winner = next(
        x for x in iter(lambda: many.sample(rng), None) if x.encoder.layers[0].experts[1:]
    )
    assert "it lies outside the log that the predictor was fitted to" in why_unverified(
        winner, latency
    )


def test_a_search_waits_while_another_session_measures_on_its_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOMOE_LOCK_FOLDER", str(tmp_path))
    monkeypatch.setattr(opening, "_WAIT_SECONDS", 0.01)
    other, told = ExitStack(), list[str]()

    def say(message: str) -> None:
        told.append(message)
        other.close()  # the other session ends

    other.enter_context(opened_device("cpu"))
    target = TargetDevice.reached("cpu", None, "onnxruntime", say=say)  # nothing is measured yet
    assert told == []
    with target.opened() as device:
        assert device.info() == target.info
    assert len(told) == 1
    assert told[0].endswith("This session waits for its end; Ctrl-C stops it.")
