import json
import math
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pandas as pd
import pytest
from support.small_text import small_space, write_corpus

import automoe
from automoe.architecture.architecture import Architecture
from automoe.architecture.routing_pattern import RoutingPattern
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.cli.main import main
from automoe.cli.search_inputs import with_trace
from automoe.latency.features import feature_table
from automoe.latency.model import LatencyModel
from automoe.search import (
    Workers,
    assembly,
    expected_time,
    objective_fitness,
    require_same_vocabulary,
)
from automoe.supernet import Transformer, TransformerConfig
from automoe.text import open_corpus
from automoe.training import vocabulary_for
from automoe.training.model_folder import VOCABULARY, TrainedModel
from automoe.training.supernet_run import remember_corpus
from predictors import fit_log

Capture = pytest.CaptureFixture[str]
SPACE = small_space()
WORKLOAD = TranslationWorkload.of(SPACE)


def n_experts(architecture: Architecture) -> float:
    """An objective of our own: few experts are good."""
    stacks = (architecture.encoder, architecture.decoder)
    return float(sum(len(layer.experts) for stack in stacks for layer in stack.layers))


def fails(architecture: Architecture) -> float:
    """An objective of our own that does not work."""
    return 1 / 0


def milliseconds(architecture: Architecture) -> float:
    return 1 + n_experts(architecture)


def fitted_rows(**columns: str) -> pd.DataFrame:
    """A log of random architectures."""
    rng = Random(0)
    drawn = list(dict.fromkeys(SPACE.sample(rng) for _ in range(60)))
    frame = feature_table(drawn, WORKLOAD)[["feature_encoder_experts", "feature_decoder_experts"]]
    frame["latency_ms"] = [rng.gauss(1, 0.01) * milliseconds(a) for a in drawn]
    return frame.assign(workload=str(WORKLOAD), **columns)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """An untrained supernet with its text, and a predictor."""
    folder = tmp_path_factory.mktemp("search")
    corpus = write_corpus(folder / "text")
    supernet = folder / "supernet"
    supernet.mkdir()
    vocabulary = vocabulary_for(corpus, supernet / VOCABULARY, size=40)
    model = Transformer(TransformerConfig.for_space(SPACE)).eval()
    TrainedModel(model, vocabulary, SPACE).save(supernet)
    remember_corpus(supernet, corpus)
    fit_log(fitted_rows()).save(folder / "predictor")
    return str(supernet), str(folder / "predictor")


@pytest.fixture
def search(files: tuple[str, str], tmp_path: Path) -> list[str]:
    supernet, predictor = files
    sizes = "--generations 3 --population 12 --parents 4 --mutants 5 --crossovers 5"
    out = str(tmp_path / "best.json")
    return [
        "search",
        "--supernet",
        supernet,
        "--predictor",
        predictor,
        "-o",
        out,
        *sizes.split(" "),
    ]


def result(tmp_path: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((tmp_path / "best.json").read_text())
    return content


def test_the_range_of_the_space_is_told_before_the_search(
    search: list[str], tmp_path: Path, capsys: Capture
) -> None:
    assert main([*search, "--budget-ms", "10"]) == 0
    told = capsys.readouterr().err
    assert "Predicted latencies of 'small': smallest" in told
    assert "excludes no architecture" not in told
    found = result(tmp_path)["feasibility"]
    assert isinstance(found, dict)
    upper = [found[name]["upper_ms"] for name in ("smallest", "median", "largest")]
    assert upper == sorted(upper)
    # Three layers of one expert, and at most four of three.
    assert found["smallest"]["predicted_ms"] == pytest.approx(1 + 3, rel=0.1)
    assert found["largest"]["predicted_ms"] == pytest.approx(1 + 12, rel=0.1)


def test_a_budget_above_everything_is_told_before_and_after_with_one_that_binds(
    search: list[str], tmp_path: Path, capsys: Capture
) -> None:
    assert main([*search, "--budget-ms", "1000"]) == 0
    out, told = capsys.readouterr()
    slack = "excludes no architecture that was looked at"
    assert f"The budget of 1000 ms {slack}" in told
    assert slack in out
    assert str(result(tmp_path)["reason"]).endswith(slack)
    binding = re.findall(r"([\d.]+) ms would exclude about half", told)
    assert main([*search, "--budget-ms", *binding, "-o", str(tmp_path / "binding.json")]) == 0
    assert slack not in "".join(capsys.readouterr())


def test_a_budget_is_a_share_of_what_the_largest_dense_one_takes(
    search: list[str], tmp_path: Path, capsys: Capture
) -> None:
    assert main([*search, "--budget-share", "2"]) == 0
    told = re.search(r"The budget is ([\d.]+) ms, which is 2 times the", capsys.readouterr().err)
    assert told is not None
    assert float(told[1]) == pytest.approx(2 * milliseconds(SPACE.largest(experts=1)), rel=0.1)
    assert result(tmp_path)["budget_ms"] == pytest.approx(float(told[1]), rel=1e-3)


def test_a_budget_looks_the_same_wherever_it_is_printed(search: list[str], capsys: Capture) -> None:
    assert main([*search, "--budget-share", "0.12345"]) == 6
    told = re.findall(r"[Tt]he budget (?:is|of) ([\d.]+) ms", capsys.readouterr().err)
    assert len(told) == 2
    assert len(set(told)) == 1


@pytest.mark.parametrize("given", [["--seed", "3"], ["--budget-ms", "9", "--budget-share", "0.5"]])
def test_a_budget_is_given_once(search: list[str], given: list[str], capsys: Capture) -> None:
    assert main([*search, *given]) == 2
    assert "ive either '--budget-ms' or '--budget-share'." in capsys.readouterr().err


def test_a_budget_below_everything_is_refused_with_the_nearest(
    search: list[str], tmp_path: Path, capsys: Capture
) -> None:
    assert main([*search, "--budget-ms", "1"]) == 6
    refusal = capsys.readouterr().err
    assert "The nearest feasible budget is" in refusal
    nearest = refusal.partition("nearest feasible budget is ")[2].split()[0]
    assert main([*search, "--budget-ms", nearest]) == 0
    assert result(tmp_path)["certified"] is False


def test_trade_offs_are_in_the_result(search: list[str], tmp_path: Path) -> None:
    assert main([*search, "--budget-ms", "12", "--pareto"]) == 0
    content = result(tmp_path)
    front = content["front"]
    assert isinstance(front, list)
    losses = [point["fitness"] for point in front]
    upper = [point["upper_ms"] for point in front]
    assert losses == sorted(losses)
    assert upper == sorted(upper, reverse=True)
    assert losses[0] == content["valid_loss"]
    volume = content["hypervolume"]
    assert isinstance(volume, dict)
    # Untrained, no subnet is much better than another: the smallest need not be the worst.
    assert volume["reference"]["upper_ms"] == 12
    assert volume["reference"]["fitness"] == pytest.approx(losses[-1], rel=0.1)
    assert [point["measured_ms"] for point in front] == [None] * len(front)


def test_an_objective_of_ones_own(search: list[str], tmp_path: Path) -> None:
    name = f"{__name__}:n_experts"
    assert main([*search, "--budget-ms", "12", "--objective", name]) == 0
    # The smallest architecture is among the first that are evaluated.
    content = result(tmp_path)
    assert (content["objective"], content["fitness"], content["valid_loss"]) == (name, 3, None)


def test_bleu_is_an_objective(search: list[str], tmp_path: Path) -> None:
    sizes = ["--generations", "1", "--population", "3", "--parents", "1"]
    assert main([*search, "--budget-ms", "12", "--objective", "bleu", *sizes]) == 0
    content = result(tmp_path)
    assert content["objective"] == "bleu"
    assert content["valid_loss"] is None
    assert isinstance(content["fitness"], float)
    assert -100 <= content["fitness"] <= 0


def test_another_budget_computes_no_loss_again(
    search: list[str], files: tuple[str, str], tmp_path: Path
) -> None:
    cache = Path(files[0]) / "fitness.jsonl"
    assert main([*search, "--budget-ms", "9"]) == 0
    first = cache.read_text().splitlines()
    (tmp_path / "best.json.files/state.jsonl").unlink()
    assert main([*search, "--budget-ms", "9"]) == 0
    assert cache.read_text().splitlines() == first
    entries = [line for line in first if line]
    assert len(set(entries)) == len(entries) > 0


def test_results_whose_names_differ_after_a_dot_share_no_file(
    search: list[str], tmp_path: Path
) -> None:
    for budget in ("9", "9.5"):
        out = str(tmp_path / f"best-{budget}")
        assert main([*search, "--budget-ms", budget, "-o", out]) == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"best-9", "best-9.files", "best-9.5", "best-9.5.files"}
    assert (tmp_path / "best-9.files/.gitignore").read_text() == "*\n"


def test_a_result_that_cannot_be_written_is_refused_before_the_search(
    search: list[str], tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "best.json").mkdir()
    assert main([*search, "--budget-ms", "9"]) == 2
    assert "Is a directory" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["best.json"]


def test_a_search_on_other_text_does_not_go_on(
    search: list[str], files: tuple[str, str], tmp_path: Path, capsys: Capture
) -> None:
    assert main([*search, "--budget-ms", "9"]) == 0
    other = write_corpus(tmp_path / "other").folder
    valid = other / "valid.en"
    valid.write_text(valid.read_text().replace("house", "horse"))
    assert main([*search, "--budget-ms", "9", "--data", str(other)]) == 2
    refusal = capsys.readouterr().err
    assert "belongs to a search with other settings" in refusal
    command = refusal.rpartition("to search again: ")[2]
    assert shlex.split(command) == ["rm", "-r", str(tmp_path / "best.json.files")]
    subprocess.run(shlex.split(command), check=True)
    assert main([*search, "--budget-ms", "9", "--data", str(other)]) == 0


def test_halving_reads_all_of_the_text_for_few(search: list[str], tmp_path: Path) -> None:
    assert main([*search, "--budget-ms", "12", "--halvings", "1"]) == 0
    lines = (tmp_path / "best.json.files/state.jsonl").read_text().splitlines()[1:]
    told = [entry["fitness"] for line in lines for entry in json.loads(line)]
    assert len(told) == 12 + 2 * 10
    assert told.count(None) == 6 + 2 * 5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--objective", "blue"], "'objective' must be loss, bleu or MODULE:FUNCTION. Got 'blue'"),
        (["--halvings", "2"], "halvings must leave parents=4 of population=12"),
        (["--halvings", "1", "--pareto"], "halvings must be 0 with pareto"),
        (["--device", "cpu", "--device-minutes", "0"], "for '--device-minutes': Input"),
        (["--device-minutes", "9"], "'--device-minutes' is about '--device': give both"),
        (["--verify-top", "9"], "'--verify-top' is about '--device': give both"),
        (["--host", "me@board"], "Got '--host me@board' alone"),
        (["--source", "de"], "'--source' is about '--data': give both"),
        (
            ["--device", "cpu", "--verify-top", "21"],
            "'--verify-top' must be at most '--verify-most' 20",
        ),
        (
            ["--data", ".", "--objective", f"{__name__}:n_experts"],
            "'--data' is read by the objectives loss and bleu",
        ),
        (["--objective", f"{__name__}:fails"], "fails failed for architecture"),
        (
            ["--halvings", "1", "--objective", f"{__name__}:n_experts"],
            "'halvings' needs the objective loss",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    wrong: list[str], message: str, search: list[str], capsys: Capture
) -> None:
    assert main([*search, "--budget-ms", "10", *wrong]) == 2
    assert message in capsys.readouterr().err


@pytest.fixture
def simulated(search: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A search that measures, briefly, in some milliseconds."""
    monkeypatch.setenv("AUTOMOE_SIMULATED", "noise=0.01")
    few = "--generations 1 --population 4 --parents 1 --verify-top 2 --verify-most 2"
    return [*search, "--budget-ms", "12", "--device", "simulated", *few.split()]


def test_a_certificate_is_of_the_device_that_was_measured(
    simulated: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert main(simulated) == 0
    before = result(tmp_path)
    assert before["certified"] is True
    assert main(simulated) == 0
    assert result(tmp_path) == before
    monkeypatch.setenv("AUTOMOE_SIMULATED", "noise=0.02")
    assert main(simulated) == 2
    told = capsys.readouterr().err
    assert "'device_fingerprint' must be" in told
    assert (
        f"Choose another output, or measure again: rm {tmp_path}/best.json.files/verification*"
        in told
    )
    assert result(tmp_path) == before


def test_python_finds_what_the_command_finds(
    simulated: list[str],
    files: tuple[str, str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert main(simulated) == 0
    settings = automoe.SearchSettings(
        budget_ms=12,
        generations=1,
        population=4,
        parents=1,
        mutants=5,
        crossovers=5,
        verify_top=2,
        verify_most=2,
    )
    out = tmp_path / "own.json"
    supernet, predictor = map(Path, files)
    searched = automoe.search_under_budget(
        settings, supernet=supernet, predictor=predictor, out=out, device="simulated"
    )
    assert json.loads(out.read_text()) == result(tmp_path)
    assert searched.verification.winner.architecture.id in repr(searched)
    assert "<th" in searched._repr_html_()
    assert "Predicted latencies of" in caplog.text
    assert not (tmp_path / "own.json.files/fitness.jsonl").exists()  # they are in the supernet
    with pytest.raises(ValueError, match="holds a certified result, and without a device"):
        automoe.search_under_budget(settings, supernet=supernet, predictor=predictor, out=out)


def test_a_certified_result_is_not_replaced_by_a_prediction(
    simulated: list[str], search: list[str], tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "best.json").write_text('{"certified": true}')
    assert main([*search, "--budget-ms", "12"]) == 2
    assert "holds a certified result, and without a device" in capsys.readouterr().err
    assert main(simulated) == 0


def test_a_log_of_the_simulated_device_is_good_for_it(
    simulated: list[str], files: tuple[str, str], tmp_path: Path
) -> None:
    fit_log(fitted_rows(runtime="SIMULATED roofline 1")).save(tmp_path / "p")
    assert main([str(tmp_path / "p") if word == files[1] else word for word in simulated]) == 0


def test_fewer_in_all_are_measured_together(simulated: list[str], capsys: Capture) -> None:
    few = [*simulated[:-4], "--verify-most", "2"]
    assert main(few) == 0
    assert "verify_top" not in capsys.readouterr().err
    assert main([*simulated[:-4], "--verify-most", "20"]) == 0  # and more of it is no other search


def test_the_predictors_runtime_is_looked_for_before_the_search(
    search: list[str], files: tuple[str, str], tmp_path: Path, capsys: Capture
) -> None:
    fit_log(fitted_rows(runtime="tensorrt 10.3.0")).save(tmp_path / "of_tensorrt")
    with_it = [str(tmp_path / "of_tensorrt") if word == files[1] else word for word in search]
    assert main([*with_it, "--budget-ms", "12", "--device", "cpu"]) == 2
    told = capsys.readouterr().err
    assert "tensorrt" in told
    assert "Search:" not in told


def test_a_search_does_not_start_before_its_device_is_reached(
    search: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no ssh
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert main([*search, "--budget-ms", "12", "--device", "arm", "--host", "pi@board"]) == 7
    told = capsys.readouterr().err
    assert "The program 'ssh' cannot be run" in told
    assert "Predicted latencies" not in told


@pytest.mark.parametrize(
    ("workload", "message"),
    [
        (replace(WORKLOAD, vocab_size=32768), "must be of the supernet's vocabulary, 40 pieces"),
        (replace(WORKLOAD, shared_embeddings=False), "was measured with 40 pieces in 2 tables"),
    ],
)
def test_a_predictor_of_another_vocabulary_is_refused(
    workload: TranslationWorkload, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        require_same_vocabulary(workload, SPACE)
    require_same_vocabulary(WORKLOAD, SPACE)


def test_a_trace_is_needed_where_it_is_measured_with(tmp_path: Path) -> None:
    counts = {"encoder": [[3, 1, 1]], "decoder": [[1, 1, 1]]}
    (tmp_path / "trace.json").write_text(json.dumps(counts))
    routing = f"trace:{tmp_path / 'trace.json'}"
    known = RoutingPattern.parse(str(RoutingPattern.open(routing)))
    latency = LatencyModel(fit_log(fitted_rows()), replace(WORKLOAD, routing=known))
    assert with_trace(latency, None, is_measured=False) is latency
    with pytest.raises(ValueError, match=f"'--routing' must give the trace .* '{known}'"):
        with_trace(latency, None, is_measured=True)
    assert with_trace(latency, routing, is_measured=True).workload.routing.trace is not None
    at_hand = LatencyModel(
        latency.predictor, replace(WORKLOAD, routing=RoutingPattern.open(routing))
    )
    assert with_trace(at_hand, None, is_measured=True) is at_hand
    with pytest.raises(
        ValueError, match=f"must be '{known}', with which .* Got 'worst'; give the file"
    ):
        with_trace(latency, "worst", is_measured=True)


def test_an_objective_of_ones_own_needs_no_text(
    search: list[str], files: tuple[str, str], tmp_path: Path
) -> None:
    supernet = tmp_path / "moved"
    shutil.copytree(files[0], supernet)
    (supernet / "corpus.json").unlink()
    moved = [str(supernet) if word == files[0] else word for word in search]
    assert main([*moved, "--budget-ms", "12"]) == 2
    assert main([*moved, "--budget-ms", "12", "--objective", f"{__name__}:n_experts"]) == 0


def test_the_cache_of_a_supernet_that_is_read_only_is_beside_the_result(
    search: list[str], files: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    supernet = tmp_path / "shared"
    shutil.copytree(files[0], supernet, ignore=shutil.ignore_patterns("fitness.jsonl*"))
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # root may write anywhere
    shared = [str(supernet) if word == files[0] else word for word in search]
    assert main([*shared, "--budget-ms", "12"]) == 0
    assert not (supernet / "fitness.jsonl").exists()
    assert (tmp_path / "best.json.files/fitness.jsonl").read_text().count("\n") > 10


@pytest.mark.parametrize("objective", ["loss", "bleu"])
def test_paths_of_a_supernet_and_its_text_are_good_in_any_folder(
    objective: str, files: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(files[0]).parent)
    (fitness,) = objective_fitness(objective, Path("supernet"), open_corpus(Path("text")))
    monkeypatch.chdir(tmp_path)  # as a worker of a cluster
    assert math.isfinite(fitness(SPACE.smallest()))


def without_generations(search: list[str]) -> list[str]:
    """The same search, in which the space says how many generations there are."""
    place = search.index("--generations")
    return [*search[:place], *search[place + 2 :], "--objective", f"{__name__}:n_experts"]


def test_without_a_number_of_generations_they_suit_the_space(
    search: list[str], tmp_path: Path
) -> None:
    chosen = [*without_generations(search), "--budget-ms", "12"]
    assert main(chosen) == 0
    state = tmp_path / "best.json.files/state.jsonl"
    lines = state.read_text().splitlines()
    assert SPACE.count == pytest.approx(4.0e7, rel=0.01)
    assert len(lines) == 1 + 11
    assert json.loads(lines[0])["generations"] == 11
    state.write_text("".join(f"{line}\n" for line in lines[:4]))
    assert main(chosen) == 0
    assert state.read_text().splitlines() == lines


def test_a_search_of_an_earlier_release_keeps_the_generations_of_the_paper(
    search: list[str], tmp_path: Path, capsys: Capture
) -> None:
    chosen = [*without_generations(search), "--budget-ms", "12"]
    assert main([*chosen, "--generations", "30"]) == 0  # which is what it began with
    state = tmp_path / "best.json.files/state.jsonl"
    lines = state.read_text().splitlines()
    assert "generations" not in json.loads(lines[0])
    state.write_text("".join(f"{line}\n" for line in lines[:4]))
    assert main(chosen) == 0
    assert state.read_text().splitlines() == lines
    assert main([*chosen, "--generations", "11"]) == 2
    assert "belongs to a search with other settings" in capsys.readouterr().err


def test_the_time_is_told_before_the_search_goes_on(search: list[str], capsys: Capture) -> None:
    own = [*search, "--budget-ms", "12", "--objective", f"{__name__}:n_experts"]
    assert main(own) == 0
    told = capsys.readouterr().err
    pattern = r"Up to 32 evaluations of about [\d.]+ m?s on 1 job: about [\d.]+ m?s\.\n"
    assert len(re.findall(pattern, told)) == 1
    assert told.index("Predicted latencies") < told.index("Up to 32") < told.index("Search: 32")
    assert main(own) == 0
    assert "Up to" not in capsys.readouterr().err  # it is finished


def test_the_time_of_a_search_that_goes_on_is_that_of_what_is_left(
    search: list[str], tmp_path: Path, capsys: Capture
) -> None:
    own = [*search, "--budget-ms", "12", "--objective", f"{__name__}:n_experts"]
    assert main(own) == 0
    state = tmp_path / "best.json.files/state.jsonl"
    state.write_text("".join(f"{line}\n" for line in state.read_text().splitlines()[:2]))
    capsys.readouterr()
    assert main(own) == 0
    assert "Up to 20 evaluations of about" in capsys.readouterr().err


def test_the_time_of_measuring_is_told_apart(simulated: list[str], capsys: Capture) -> None:
    more = ["--population", "12", "--objective", f"{__name__}:n_experts"]
    assert main([*simulated, *more, "--device-minutes", "9"]) == 0
    told = capsys.readouterr().err
    assert re.search(r"Up to 12 evaluations .* Measuring follows: at most 9 min\.\n", told)


@pytest.mark.parametrize(
    ("given", "n_processes"), [([], 3), (["--jobs", "1"], 1), (["--jobs", "2"], 2)]
)
def test_as_many_processes_evaluate_as_there_are_usable_cores(
    given: list[str], n_processes: int, search: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    @contextmanager
    def recorded(jobs: int, cluster: str | None = None, **_: float) -> Iterator[Workers]:
        started.append(jobs)
        yield Workers()

    monkeypatch.setattr(assembly, "workers", recorded)
    monkeypatch.setattr(expected_time, "usable_cores", lambda host: 3)
    assert main([*search, "--budget-ms", "12", *given]) == 0
    own = ["--objective", f"{__name__}:n_experts", "-o", f"{search[6]}.own"]
    assert main([*search, "--budget-ms", "12", *given, *own]) == 0
    # A function of the user may not be one that several processes can call.
    assert started == [n_processes, n_processes if given else 1]
