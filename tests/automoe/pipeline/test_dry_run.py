import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.small_text import small_space, write_corpus
from torch import get_num_threads

from automoe.cli.main import main
from automoe.pipeline import ConfigError, RunConfig
from automoe.pipeline import dry_run as plan_module
from automoe.pipeline.dry_run import StagePlan, plan_run
from automoe.pipeline.throughput import Profiled
from automoe.training import train_supernet
from devices import opening

STAGES = [
    "profile",
    "fit",
    "supernet",
    "search",
    "verify",
    "finetune winner",
    "finetune baseline",
    "evaluate winner",
    "evaluate baseline",
    "report",
]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A short run whose text is there."""
    write_corpus(tmp_path / "text")
    space = small_space().model_dump(mode="json")
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(space))
    training = {"updates": 6, "max_tokens": 200, "warmup_updates": 2, "max_sentence": 40}
    content = {
        "name": "short",
        "output": str(tmp_path / "run"),
        "space": {"name": str(tmp_path / "space.yaml")},
        "data": {"folder": str(tmp_path / "text")},
        "profile": {"architectures": 20, "fast": True},
        "train": training,
        "search": {"budget_ms": 5, "population": 10, "parents": 3, "generations": 4},
        "finetune": {**training, "updates": 12},
        "evaluate": {"beam": 3},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Round figures in the place of this machine's."""
    found = Profiled(block_s=3.0, latency_ms=50.0)
    monkeypatch.setattr(plan_module, "profiled", lambda *_, **__: found)
    monkeypatch.setattr(plan_module, "seconds_per_update", lambda *_: 2.0)
    monkeypatch.setattr(plan_module, "seconds_per_token", lambda *_: 0.01)
    monkeypatch.setattr(plan_module, "default_jobs", lambda *_: 2)
    monkeypatch.setattr(plan_module, "have_cores", lambda *_, **__: False)


def changed(config: Path, **changes: Any) -> RunConfig:
    content = yaml.safe_load(config.read_text())
    for section, values in changes.items():
        content[section] |= values
    config.write_text(yaml.safe_dump(content))
    return RunConfig.load(config)


def stages_of(config: RunConfig) -> dict[str, StagePlan]:
    return {stage.stage: stage for stage in plan_run(config).stages}


def estimates(config: RunConfig) -> dict[str, float | None]:
    return {name: stage.estimate_s for name, stage in stages_of(config).items()}


def test_estimates_are_what_is_left_times_what_each_takes(config: Path, timed: None) -> None:
    found = estimates(RunConfig.load(config))
    assert list(found) == STAGES
    assert found["profile"] == 20 * 2 * 3.0  # two blocks each in the fast protocol
    assert found["supernet"] == 6 * 2.0
    assert found["finetune winner"] == found["finetune baseline"] == 12 * 2.0
    # A token for four characters, and an EOS for each sentence.
    target = (config.parent / "text" / "valid.de").read_text().splitlines()
    n_tokens = sum(map(len, target)) // 4 + 20
    # This process evaluates for 5 seconds, and then two others start for as long.
    alone = (10 + 3 * 100) * n_tokens * 0.01
    assert found["search"] == pytest.approx(5 + 5 + (alone - 5) / 2)
    assert found["verify"] == 6 * 3 * 3.0  # the best five and the baseline
    assert found["evaluate winner"] == pytest.approx(20 * 3 * 0.050)
    assert (found["fit"], found["report"]) == (None, None)
    whole = plan_run(RunConfig.load(config))
    assert whole.total_s == pytest.approx(sum(s for s in found.values() if s is not None))
    assert whole.missing == ()


def test_of_two_trainings_at_the_same_time_the_longer_one_counts(
    config: Path, timed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = RunConfig.load(config)
    apart = plan_run(loaded)
    n_threads = []
    monkeypatch.setattr(plan_module, "have_cores", lambda *_, jobs: jobs is None)
    monkeypatch.setattr(plan_module, "threads_of_each", lambda n: 3 // n)
    monkeypatch.setattr(
        plan_module, "seconds_per_update", lambda *_: n_threads.append(get_num_threads()) or 2.0
    )
    together = plan_run(loaded)
    assert n_threads[-1] == 1
    assert together.total_s == pytest.approx(apart.total_s - 12 * 2.0)
    bases = [stage.basis for stage in together.stages if stage.stage.startswith("finetune")]
    assert all(basis.endswith("; both at the same time") for basis in bases)
    one_by_one = plan_run(changed(config, search={"jobs": 1}))
    assert one_by_one.together == ()


def test_processes_and_halvings_shorten_the_search(config: Path, timed: None) -> None:
    alone = estimates(changed(config, search={"jobs": 1}))["search"]
    assert alone is not None
    halved = estimates(changed(config, search={"jobs": 4, "halvings": 1}))["search"]
    # A quarter of the text for all, all of it for half: 1/4 + 1/2.
    assert halved == pytest.approx(5 + 5 + (alone * 0.75 - 5) / 4)


def test_a_search_of_a_moment_is_shared_by_no_processes(
    config: Path, timed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_module, "seconds_per_token", lambda *_: 1e-6)
    alone = estimates(changed(config, search={"jobs": 1}))["search"]
    assert estimates(changed(config, search={"jobs": 4}))["search"] == alone


def test_without_a_number_of_generations_those_are_planned_that_the_search_will_have(
    config: Path, timed: None
) -> None:
    content = yaml.safe_load(config.read_text())
    del content["search"]["generations"]
    config.write_text(yaml.safe_dump(content))
    loaded = RunConfig.load(config)
    # The space has 4.0e7 architectures.
    assert stages_of(loaded)["search"].total == 10 + 10 * 100
    loaded.folder.mkdir()
    state = loaded.folder / "search.jsonl"
    state.write_text('{"fingerprint": "", "generations": 3}\n[]\n')
    search = stages_of(loaded)["search"]
    assert (search.done, search.total) == (10, 10 + 2 * 100)
    state.write_text('{"fingerprint": ""}\n[]\n')  # of an earlier release
    assert stages_of(loaded)["search"].total == 10 + 29 * 100


def test_verification_takes_no_longer_than_it_may(config: Path, timed: None) -> None:
    assert estimates(changed(config, search={"device_minutes": 0.5}))["verify"] == 30


def test_what_is_done_is_told_and_not_timed(
    config: Path, timed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = RunConfig.load(config)
    loaded.claim()
    corpus = write_corpus(config.parent / "text")
    train_supernet(small_space(), corpus, loaded.train, folder=loaded.folder / "supernet")
    lines = [{"fingerprint": ""}, [], []]  # two generations
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    (loaded.folder / "search.jsonl").write_text(text)
    (loaded.folder / "predictor.skops").touch()
    asked: list[object] = []
    monkeypatch.setattr(plan_module, "seconds_per_update", lambda *given: asked.append(given) or 2)
    before = {p: p.read_bytes() for p in config.parent.rglob("*") if p.is_file()}
    stages = stages_of(loaded)
    assert (stages["supernet"].done, stages["supernet"].estimate_s) == (6, 0)
    assert stages["fit"].is_done
    assert (stages["search"].done, stages["search"].total) == (10 + 100, 10 + 3 * 100)
    assert stages["profile"].done == 0
    assert len(asked) == 1  # for both models, which are as large; not for the supernet
    assert {p: p.read_bytes() for p in config.parent.rglob("*") if p.is_file()} == before


def test_a_plan_makes_no_folder(config: Path, timed: None) -> None:
    plan_run(RunConfig.load(config))
    assert not (config.parent / "run").exists()


def test_a_plan_for_the_folder_of_another_run_is_refused(config: Path, timed: None) -> None:
    RunConfig.load(config).claim()
    with pytest.raises(ConfigError, match="holds a run with another 'seed'"):
        plan_run(RunConfig.load(config).model_copy(update={"seed": 1}))


def test_the_example_of_the_paper_is_planned_without_its_text(
    timed: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.chdir(tmp_path)
    example = Path(__file__).parents[3] / "examples" / "wmt14_en_de.yaml"
    assert main(["run", str(example), "--dry-run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    by_stage = {stage["stage"]: stage for stage in found["stages"]}
    assert by_stage["search"]["total"] == 125 + 14 * 100
    assert "3000 assumed sentences" in by_stage["search"]["basis"]
    assert "'data/wmt14_en_de' does not exist" in found["missing"][0]
    assert "'train.precision' is fp16, which needs a CUDA device" in found["missing"][1]
    assert list(tmp_path.iterdir()) == []


def test_a_plan_is_really_timed(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(config), "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:18].strip() for line in lines] == [*STAGES, "total"]
    unknown = [line[:18].strip() for line in lines if line[18:30].strip() == "?"]
    assert unknown == ["fit", "report"]
    assert "to do" in lines[0]


def test_a_training_that_stopped_early_is_finished(config: Path, timed: None) -> None:
    chosen = changed(config, train={"patience": 1, "validate_every": 1, "learning_rate": 1e-30})
    settings = chosen.train
    train_supernet(
        chosen.space.open(), chosen.data.open(), settings, folder=chosen.folder / "supernet"
    )
    stage = next(stage for stage in plan_run(chosen).stages if stage.stage == "supernet")
    assert (stage.done, stage.total, stage.is_done) == (2, 2, True)


def test_a_tracker_that_is_not_installed_is_missing(config: Path, timed: None) -> None:
    plan = plan_run(changed(config, finetune={"track": ["nothing"]}))
    assert any("'track' must be one of" in line for line in plan.missing)


def test_a_session_that_measures_now_is_waited_for(
    config: Path, timed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOMOE_LOCK_FOLDER", str(tmp_path))
    monkeypatch.setattr(opening, "_WAIT_SECONDS", 0.01)
    config.write_text(yaml.safe_dump(yaml.safe_load(config.read_text()) | {"device": "cpu"}))
    other, told = ExitStack(), []
    other.enter_context(opening.opened_device("cpu"))

    def say(message: str) -> None:
        told.append(message)
        other.close()  # the other session ends

    plan = plan_run(RunConfig.load(config), say=say)
    assert plan.missing == ()
    assert {stage.stage: stage.estimate_s for stage in plan.stages}["profile"] == 20 * 2 * 3.0
    (message,) = told
    assert message.startswith("Another session measures on this machine (")
