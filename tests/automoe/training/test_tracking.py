"""What trackers get. TensorBoard's files are read back with its own reader."""

import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from automoe.architecture.space import SearchSpace
from automoe.text import Corpus
from automoe.training import SettingsError, TrainingSettings, finetune, tracking, train_supernet
from automoe.training.schedule import rate_factor
from automoe.training.tracking import require_trackers


@pytest.fixture
def tracked(settings: TrainingSettings) -> TrainingSettings:
    return settings.model_copy(update={"track": ("tensorboard",), "clip_norm": 1.0})


def read(folder: Path) -> dict[str, dict[int, float]]:
    """Return value by update by name."""
    events = EventAccumulator(str(folder / "tracking" / folder.name))
    events.Reload()
    scalars = {name: events.Scalars(name) for name in events.Tags()["scalars"]}
    for name, points in scalars.items():
        assert max(Counter(point.step for point in points).values()) == 1, name
    return {name: {p.step: p.value for p in points} for name, points in scalars.items()}


def test_the_figures_of_a_supernet_are_those_of_its_history(
    space: SearchSpace, corpus: Corpus, tracked: TrainingSettings, tmp_path: Path
) -> None:
    result = train_supernet(space, corpus, tracked, folder=tmp_path / "supernet")
    figures = read(tmp_path / "supernet")
    assert figures["train/loss"] == pytest.approx({r.update: r.train_loss for r in result.history})
    validated = [record for record in result.history if record.valid_loss is not None]
    for name, losses in {
        "full_shape": {r.update: r.valid_loss for r in validated},
        "smallest": {r.update: r.subnet_losses["smallest"] for r in validated},
        "random_2": {r.update: r.subnet_losses["random 2"] for r in validated},
        "mean": {r.update: r.mean_loss for r in validated},
    }.items():
        assert figures[f"valid/{name}"] == pytest.approx(losses)
    assert figures["train/learning_rate"] == pytest.approx(
        {r.update: 0.01 * rate_factor(r.update - 1, tracked) for r in result.history}
    )
    assert all(value > 0 for value in figures["train/tokens_per_second"].values())
    assert all(value > 0 for value in figures["train/gradient_norm"].values())
    loads = [figures[f"router/decoder.1/load.{expert}"] for expert in range(3)]
    for record in validated:
        assert sum(load[record.update] for load in loads) == pytest.approx(1, abs=1e-6)
    assert "router/encoder.0/entropy" in figures


def test_losses_are_told_by_the_size_of_the_subnet(
    space: SearchSpace, corpus: Corpus, tracked: TrainingSettings, tmp_path: Path
) -> None:
    longer = tracked.model_copy(update={"updates": 20, "save_every": 20, "validate_every": 20})
    result = train_supernet(space, corpus, longer, folder=tmp_path / "s")
    figures = read(tmp_path / "s")
    by_size = [figures[f"train/loss_of_{size}_subnets"] for size in ("small", "medium", "large")]
    assert [list(losses) for losses in by_size] == [[20]] * 3
    # Together they are the losses of all updates.
    low, high = min(x[20] for x in by_size), max(x[20] for x in by_size)
    assert low < result.history[-1].train_loss < high


def test_a_run_that_was_stopped_tells_no_update_twice(
    space: SearchSpace, corpus: Corpus, tracked: TrainingSettings, tmp_path: Path
) -> None:
    def stop(done: int, total: int, note: str = "") -> None:
        if done == 6:  # after the record at 4; the checkpoint is at 3
            raise KeyboardInterrupt

    folder = tmp_path / "s"
    with pytest.raises(KeyboardInterrupt):
        train_supernet(space, corpus, tracked, folder=folder, on_progress=stop)
    train_supernet(space, corpus, tracked, folder=folder)
    assert list(read(folder)["train/loss"]) == [3, 4, 6, 8]


def test_a_final_model_has_no_sizes(
    space: SearchSpace, corpus: Corpus, tracked: TrainingSettings, tmp_path: Path
) -> None:
    finetune(space.largest(), corpus, tracked, folder=tmp_path / "m", vocab_size=40)
    figures = read(tmp_path / "m")
    assert not any("subnets" in name for name in figures)
    assert "router/encoder.0/load.2" in figures


def test_nothing_is_written_without_a_tracker(
    space: SearchSpace, corpus: Corpus, settings: TrainingSettings, tmp_path: Path
) -> None:
    train_supernet(space, corpus, settings, folder=tmp_path / "s")
    assert not (tmp_path / "s" / "tracking").exists()


def test_an_unknown_tracker_is_named() -> None:
    with pytest.raises(SettingsError, match="'track' must be one of .*tensorboard.* Got 'tensor'"):
        require_trackers(["tensor"])
    with pytest.raises(SettingsError, match="'track' must be one of .* Got 'all'"):
        require_trackers(["all"])


def test_a_tracker_that_is_not_installed_is_refused_at_once(
    space: SearchSpace,
    corpus: Corpus,
    tracked: TrainingSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tracking, "get_available_trackers", lambda: [])
    message = r"'tensorboard' is not installed. .* 'pip install tensorboard'.* here: none"
    with pytest.raises(SettingsError, match=message):
        train_supernet(space, corpus, tracked, folder=tmp_path / "s")
    with pytest.raises(SettingsError, match="'comet_ml' is not installed. .* install comet-ml'"):
        require_trackers(["comet_ml"])
    assert not (tmp_path / "s").exists()


@pytest.mark.slow
def test_trackio_gets_the_same_figures(
    space: SearchSpace,
    corpus: Corpus,
    settings: TrainingSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))  # it is read at the import
    pytest.importorskip("trackio", reason="needs the extra track")
    told = settings.model_copy(update={"track": ("trackio",)})
    result = train_supernet(space, corpus, told, folder=tmp_path / "supernet")
    with closing(sqlite3.connect(tmp_path / "trackio/supernet.db")) as file:
        rows = file.execute("SELECT step, metrics FROM metrics").fetchall()
    figures = {step: json.loads(metrics) for step, metrics in rows}
    assert {step: x["train/loss"] for step, x in figures.items()} == pytest.approx(
        {record.update: record.train_loss for record in result.history}
    )
    assert figures[8]["valid/mean"] == pytest.approx(result.history[-1].mean_loss)
    assert capfd.readouterr().out == ""  # stdout is for data


@pytest.mark.slow
def test_weights_and_biases_gets_the_figures_without_a_network(
    space: SearchSpace,
    corpus: Corpus,
    settings: TrainingSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("wandb", reason="needs the extra track")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.chdir(tmp_path)
    told = settings.model_copy(update={"track": ("wandb",)})
    train_supernet(space, corpus, told, folder=tmp_path / "supernet")
    [run] = (tmp_path / "supernet/tracking/wandb").glob("offline-run-*/run-*.wandb")
    content = run.read_bytes()
    for name in (b"train/loss", b"valid/full_shape", b"router/encoder.0/entropy"):
        assert name in content
    assert not (tmp_path / "wandb").exists()
    assert capfd.readouterr().out == ""


def test_what_a_tracker_prints_is_no_data(
    space: SearchSpace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Greeter:
        name = "greeter"

        def finish(self) -> None:
            print("goodbye")

    class Greeted:
        log_with = ("greeter",)
        trackers: list[Greeter] = []  # noqa: RUF012

        def init_trackers(self, name: str, init_kwargs: dict[str, object]) -> None:
            print(f"hello {name}")
            self.trackers.append(Greeter())

    told = tracking.Tracking(
        Greeted(),  # type: ignore[arg-type]
        shape=space.largest(),
        subnets=lambda update: (None,),
    )
    told.start(tmp_path, 0)
    told.finish()
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"hello {tmp_path.name}\ngoodbye\n"
