"""The whole pipeline, for real, on sizes that take seconds."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from filelock import FileLock
from support.small_text import small_space

from automoe.architecture.architecture import Architecture
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.cli.exits import ExitCode
from automoe.cli.main import main
from automoe.latency.features import feature_table
from automoe.pipeline import stages
from devices import get_device
from predictors import fit_log

TRAINING = {
    "updates": 6,
    "max_tokens": 400,
    "learning_rate": 0.002,
    "warmup_updates": 2,
    "max_sentence": 40,
    "save_every": 2,
    "validate_every": 6,
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose every stage is short."""
    (tmp_path / "space.yaml").write_text(
        yaml.safe_dump(small_space(vocab_size=200).model_dump(mode="json"))
    )
    content = {
        "name": "short",
        "output": str(tmp_path / "run"),
        "space": {"name": str(tmp_path / "space.yaml")},
        "profile": {"architectures": 20, "fast": True},
        "train": TRAINING,
        # Generous: these graphs take microseconds, where noise is large.
        "search": {
            "budget_share": 20,
            "confidence": 0.9,
            "population": 6,
            "parents": 3,
            "mutants": 2,
            "crossovers": 2,
            "generations": 2,
            "verify_top": 2,
            "jobs": 1,
        },
        "finetune": TRAINING,
        "evaluate": {"beam": 1, "sentences": 5},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.slow
def test_what_is_measured_in_int8_is_evaluated_in_int8(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = yaml.safe_load(config.read_text()) | {"workload": {"precision": "int8"}}
    config.write_text(yaml.safe_dump(content))
    assert main(["run", str(config)]) in {ExitCode.OK, ExitCode.QUALITY}
    folder = config.parent / "run"
    with (folder / "latency.csv").open() as log:
        workloads = [row["workload"] for row in csv.DictReader(log)]
    assert {"precision=int8" in workload for workload in workloads} == {True}
    for model in ("winner", "baseline"):
        bundle = json.loads((folder / model / "onnx-int8/bundle.json").read_text())
        assert bundle["precision"] == "int8"
        cost = json.loads((folder / model / "precision.json").read_text())
        assert cost["n_sentences"] > 0
        assert bundle["precision_cost"] == cost
    assert "In int8 the winner has BLEU" in capsys.readouterr().err


def test_every_stage_leaves_its_files_and_the_result_keeps_the_contract(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(config)]) == 0
    printed = capsys.readouterr()
    folder = config.parent / "run"
    result = json.loads((folder / "result.json").read_text())
    assert result["certified"] is True
    evaluations = [json.loads(path.read_text()) for path in folder.glob("*/evaluation.json")]
    assert [evaluation["split"] for evaluation in evaluations] == ["test", "test"]
    assert printed.out.startswith("Certified")  # with flags on a busy machine
    for what in ("supernet", "winner", "baseline"):
        assert f"The weights of the {what} are those of update" in printed.err
    for entry in (result, result["baseline"]):
        latency = entry["latency_ms"]
        assert 0 < latency["ci_low"] <= latency["ci_high"]
        assert latency["lower"] <= latency["predicted"] <= latency["upper"]
        assert 0 <= entry["bleu"] <= 100
        assert 0 < entry["active_params"] <= entry["params"]
        assert entry["flops"] > 0
    assert result["latency_ms"]["ci_high"] <= result["budget_ms"]
    winner = Architecture.from_dict(result["architecture"])
    n_sparse = sum(layer.is_sparse for layer in (*winner.encoder.layers, *winner.decoder.layers))
    loads = [sum(shares) for shares in result["expert_load"].values()]
    assert loads == pytest.approx([1] * n_sparse)
    assert "<svg" in (folder / "report.html").read_text()
    _runs_again_without_doing_anything_again(config, folder, result)
    _a_search_alone_gives_the_same_fields(folder, result)
    _is_drawn_and_compared_again(folder, capsys)


def _runs_again_without_doing_anything_again(
    config: Path, folder: Path, result: dict[str, object]
) -> None:
    before = {p: p.read_bytes() for p in folder.glob("*.csv")}
    assert folder / "latency.csv" in before
    assert main(["run", str(config)]) == 0
    assert {p: p.read_bytes() for p in folder.glob("*.csv")} == before
    assert json.loads((folder / "result.json").read_text()) == result


def _is_drawn_and_compared_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, both = folder / "report.html", folder.parent / "both.html"
    before = page.read_text()
    page.unlink()
    assert main(["report", str(folder)]) == 0
    assert page.read_text() == before
    capsys.readouterr()
    compare = ["report", "--compare", str(folder), str(folder)]
    assert main([*compare, "-o", str(both)]) == 0
    printed = capsys.readouterr()
    assert "latency over that of dense" in printed.out
    assert printed.err == f"page: {both}\n"  # equal conditions need no warning
    assert "<svg" in both.read_text()
    assert main([*compare, "--json"]) == 0
    compared = json.loads(capsys.readouterr().out)
    assert [run["folder"] for run in compared["runs"]] == [str(folder), str(folder)]
    assert compared["runs"][1]["result"] == json.loads((folder / "result.json").read_text())
    assert compared["warning"] is None


def _a_search_alone_gives_the_same_fields(folder: Path, of_run: dict[str, object]) -> None:
    best = folder.parent / "best.json"
    where = ["--supernet", str(folder / "supernet"), "--predictor", str(folder / "predictor.skops")]
    how = f"--budget-ms {of_run['budget_ms']} --confidence 0.9 --device cpu --verify-top 2"
    sizes = "--population 6 --parents 3 --mutants 2 --crossovers 2 --generations 2"
    assert main(["search", *where, *how.split(), *sizes.split(), "-o", str(best)]) == 0
    of_search = json.loads(best.read_text())
    # Of the models that `run` alone trains:
    models = {"expert_load", "baseline", "bleu", "bleu_signature", "chrf", "n_sentences"}
    models |= {"translation_ms"}
    assert 0 < of_run["translation_ms"]["graphs"] < of_run["translation_ms"]["whole"]
    assert of_run.keys() - models == of_search.keys()
    for name in ("feasibility", "predicted_on", "objective", "workload", "space", "n_evaluated"):
        assert of_run[name] == of_search[name]


@pytest.mark.parametrize(
    ("kind", "host", "expected"),
    [("cpu", None, True), ("cpu", "pi@board", False), ("gpu", None, False)],
)
def test_a_translation_is_timed_only_on_the_device_that_is_measured(
    kind: str, host: str | None, expected: bool
) -> None:
    info = replace(get_device("simulated").info(), kind=kind)
    assert stages.translates_on(info, host) is expected


def test_an_evaluation_that_tells_less_than_today_is_made_again(tmp_path: Path) -> None:
    architecture, path = small_space().smallest(), tmp_path / "evaluation.json"
    assert not stages.is_evaluated(path, architecture)
    earlier = Path(__file__).parents[2] / "earlier_files" / "run" / "winner" / "evaluation.json"
    content = {**json.loads(earlier.read_text()), "architecture_id": architecture.id}
    for lost in (None, *content):
        path.write_text(json.dumps({x: y for x, y in content.items() if x != lost}))
        assert stages.is_evaluated(path, architecture) is (lost is None)
    assert not stages.is_evaluated(path, small_space().largest())


def test_another_configuration_is_refused(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = config.parent / "run"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    assert main(["run", str(config)]) == 2
    assert "holds a run with another" in capsys.readouterr().err


def test_a_configuration_may_come_through_a_pipe(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = yaml.safe_load(config.read_text()) | {"unknown": 1}
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as pipe:
        yaml.safe_dump(content, pipe)
    assert main(["run", f"/dev/fd/{reader}"]) == 2
    os.close(reader)
    assert "unknown" in capsys.readouterr().err  # and not that the file is empty


def test_two_runs_do_not_write_into_one_folder(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = config.parent / "run"
    folder.mkdir()
    with FileLock(folder / "run.lock"):  # as of another process
        assert main(["run", str(config)]) == 2
    assert "is being written by another run. Wait for it to end" in capsys.readouterr().err
    assert not (folder / "config.json").exists()


def test_a_cluster_that_does_not_answer_is_told_before_anything_runs(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and nobody listens
        content = yaml.safe_load(config.read_text())
        content["search"]["cluster"] = f"dask://127.0.0.1:{unused.getsockname()[1]}"
        config.write_text(yaml.safe_dump(content))
        assert main(["run", str(config)]) == ExitCode.NO_DEVICE
        assert not (config.parent / "run").exists()
        assert "No cluster answers at 'dask://127.0.0.1" in capsys.readouterr().err
        main(["run", str(config), "--dry-run"])
    assert "No cluster answers at 'dask://127.0.0.1" in "".join(capsys.readouterr())


def test_a_budget_that_nothing_fits_is_refused_before_the_training_and_can_be_corrected(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stages, "train_supernet", trained)
    monkeypatch.setenv("AUTOMOE_SIMULATED", "noise=0.01")
    content = {**yaml.safe_load(config.read_text()), "device": "simulated"}
    for share, code in ((1e-6, ExitCode.INFEASIBLE), (20, ExitCode.INTERRUPTED)):
        content["search"]["budget_share"] = share
        config.write_text(yaml.safe_dump(content))
        assert main(["run", str(config)]) == code
    told = capsys.readouterr().err
    assert "The nearest feasible budget is" in told
    assert "Predicted latencies of" in told


def test_a_predictor_of_another_space_device_and_power_mode_is_told(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stages, "train_supernet", trained)
    monkeypatch.setenv("AUTOMOE_SIMULATED", "noise=0.01")
    content = {**yaml.safe_load(config.read_text()), "device": "simulated"}
    config.write_text(yaml.safe_dump(content))
    dense, rng = small_space(vocab_size=200, max_experts=1), Random(0)
    workload = TranslationWorkload.of(dense)
    frame = feature_table([dense.sample(rng) for _ in range(40)], workload)
    frame["latency_ms"] = 1e-6 * frame["feature_total_mflops"] + [
        rng.gauss(1, 0.01) for _ in frame.index
    ]
    conditions = {"device_fingerprint": "abc", "power_mode": "MAXN", "workload": str(workload)}
    (config.parent / "run").mkdir()
    fit_log(frame.assign(**conditions)).save(config.parent / "run" / "predictor.skops")
    assert main(["run", str(config)]) == ExitCode.INTERRUPTED
    told = capsys.readouterr().err
    assert "of 200 random architectures of 'small' lie outside the log" in told
    assert "was fitted on device abc; this one is" in told
    assert "was fitted in power mode MAXN; the device is in" in told


@pytest.mark.parametrize("given", [[], ["run", "--compare", "run", "run"]])
def test_a_report_is_of_one_run_or_compares_two(
    given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", *given]) == 2
    assert "either the folder of a run or --compare" in capsys.readouterr().err


def test_an_unfinished_run_has_no_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(tmp_path), "-o", str(tmp_path / "page.html")]) == 2
    assert "no finished run" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_stopped_at_many_moments_ends_like_one_that_was_not(
    config: Path, how: signal.Signals
) -> None:
    content = yaml.safe_load(config.read_text())
    del content["search"]["jobs"]  # the final models are trained in a process each
    # Long enough that a process that trains on would disturb the next run.
    content["finetune"] |= {"updates": 200, "save_every": 50, "validate_every": 200}
    config.write_text(yaml.safe_dump(content))
    command = [sys.executable, "-m", "automoe", "run", str(config)]
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    codes = []
    for patience_s in (0, 0.5, 1, 2, 3, 5, 8, 12, 600):  # the last one ends it, however busy
        stderr = config.with_name("stderr.txt")
        with stderr.open("wb") as file:
            run = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=file)
            while run.poll() is None and not stderr.stat().st_size:
                time.sleep(0.05)  # Python is still importing
            deadline = time.monotonic() + patience_s
            while run.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            run.send_signal(how) if run.poll() is None else None
            codes.append(run.wait())
        if run.returncode == 0:
            break
        told = stderr.read_text()
        assert run.returncode == {signal.SIGINT: 130, signal.SIGKILL: -signal.SIGKILL}[how], told
        assert how is signal.SIGKILL or "continue with: automoe run" in told.lower()
    assert codes[-1] == 0
    assert len(codes) > 1
    result = json.loads((config.parent / "run" / "result.json").read_text())
    assert result["certified"] is True
