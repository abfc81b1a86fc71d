import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from automoe.pipeline.config import ConfigError, RunConfig

MINIMAL: dict[str, Any] = {"name": "mine", "space": {"name": "tiny"}, "search": {"budget_ms": 3}}


def write(folder: Path, content: Any) -> Path:
    path = folder / "config.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def load(folder: Path, **changes: Any) -> RunConfig:
    return RunConfig.load(write(folder, MINIMAL | changes))


def test_the_example_loads() -> None:
    config = RunConfig.load(Path(__file__).parents[3] / "examples" / "quickstart.yaml")
    assert config.folder == Path("runs/quickstart")
    assert config.space.open().max_experts == 2
    assert config.search.settings(20.0).budget_ms == 16  # four fifths


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spaec": {}}, "unknown key 'spaec'. Did you mean 'space'?"),
        ({"train": {"learnig_rate": 1}}, "unknown key 'train.learnig_rate'. Did you"),
        ({"search": {"budget_ms": "fast"}}, "'search.budget_ms': .* valid number.* Got 'fast'"),
        ({"search": {"budget_ms": 0}}, "'search.budget_ms': .* greater than 0. Got 0"),
        ({"search": {"budget_ms": "nan"}}, "'search.budget_ms': .* valid number.* Got 'nan'"),
        ({"train": {"learning_rate": "inf"}}, "'train.learning_rate': .* valid number.* Got 'inf'"),
        ({"search": {}}, "'search': give either 'budget_ms' or 'budget_share'"),
        (
            {"search": {"budget_ms": 1, "budget_share": 0.5}},
            "'search': give either 'budget_ms' or 'budget_share'",
        ),
        ({"train": {"updates": True}}, "'train.updates': .* valid integer.* Got True"),
        ({"seed": "10"}, "'seed': .* valid integer.* Got '10'"),
        ({"search": {"budget_ms": 1, "pareto": 2}}, "'search.pareto': .* true or false. Got 2"),
        ({"space": "tiny"}, "'space': Input should be a section of .* Got 'tiny'"),
        ({"seed": -1}, "'seed': .* greater than or equal to 0. Got -1"),
        ({"profile": {"architectures": 5}}, "'profile.architectures': .* 20. Got 5"),
        ({"workload": {"routing": "up"}}, "'workload': 'routing' must be balanced.* Got 'up'"),
        (
            {"evaluate": {"length_penalty": "inf"}},
            "'evaluate.length_penalty': .* valid number.* Got 'inf'",
        ),
        # The folder is runs/<name>: these would be runs itself and what is above it.
        ({"name": "."}, "'name': String should match"),
        ({"name": ".."}, "'name': String should match"),
        ({"name": "a/b"}, "'name': String should match"),
    ],
)
def test_a_wrong_field_is_named_with_its_file_on_one_line(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=f"^{tmp_path}/config.yaml: {message}") as caught:
        load(tmp_path, **changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["name", "space", "search"])
def test_a_missing_field_is_named(missing: str, tmp_path: Path) -> None:
    content = {key: value for key, value in MINIMAL.items() if key != missing}
    with pytest.raises(ConfigError, match=f"config.yaml: the key '{missing}' is missing. Add it"):
        RunConfig.load(write(tmp_path, content))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [\nspace:", "config.yaml, line 2: not valid YAML: "),
        ("", "config.yaml: the file is empty"),
        ("- name", "config.yaml: the file must hold 'key: value' lines"),
        ("name: a\ntrain:\n  learning_rate: .inf", "config.yaml, line 3: .inf is not a finite"),
        ("name: a\nname: b", "config.yaml, line 2: the key 'name' is given twice"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused_on_one_line(
    text: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        RunConfig.load(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(b"name: \xff\n")
    with pytest.raises(ConfigError, match="config.yaml, line 1: byte 0xff is not UTF-8"):
        RunConfig.load(tmp_path / "config.yaml")


def test_no_is_the_language_and_the_precision(tmp_path: Path) -> None:
    text = "train: {precision: no}\ndata: {source: en, target: no}\n"
    text += "name: a\nspace: {name: tiny, fractional: no}\nsearch: {budget_ms: 1}\n"
    config = RunConfig.load(write(tmp_path, text))
    assert (config.train.precision, config.data.target) == ("no", "no")
    assert config.space.fractional is False


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none.yaml' cannot be read: No such file"):
        RunConfig.load(tmp_path / "none.yaml")


def test_a_folder_is_claimed_by_one_configuration(tmp_path: Path) -> None:
    output = str(tmp_path / "run")
    load(tmp_path, output=output).claim()
    load(tmp_path, output=output).claim()  # the same once more goes on
    assert json.loads((tmp_path / "run" / "config.json").read_text())["name"] == "mine"
    with pytest.raises(ConfigError, match="/run' holds a run with another 'seed': 0. Give"):
        load(tmp_path, output=output, seed=1).claim()


def test_a_run_that_was_moved_is_still_its_own(tmp_path: Path) -> None:
    load(tmp_path, output=str(tmp_path / "before")).claim()
    claimed = (tmp_path / "before" / "config.json").read_text()
    (tmp_path / "before").rename(tmp_path / "after")
    load(tmp_path, output=str(tmp_path / "after")).claim()
    assert (tmp_path / "after" / "config.json").read_text() == claimed


@pytest.mark.parametrize("text", ["{", "[1]", "null", '"text"'])
def test_a_damaged_claim_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ConfigError, match="config.json' is damaged. Delete"):
        load(tmp_path, output=str(tmp_path)).claim()


def test_where_a_search_runs_may_change_between_two_calls(tmp_path: Path) -> None:
    output = str(tmp_path / "run")
    load(tmp_path, output=output, search={"budget_ms": 3, "jobs": 2}).claim()
    load(tmp_path, output=output).claim()
    load(tmp_path, output=output, search={"budget_ms": 3, "cluster": "ray"}).claim()
    parallel = load(tmp_path, search={"budget_ms": 3, "jobs": 2}).search
    assert parallel.settings(1.0) == load(tmp_path).search.settings(1.0)


def test_a_budget_may_be_corrected_until_the_search_has_begun(tmp_path: Path) -> None:
    output = str(tmp_path / "run")
    load(tmp_path, output=output, search={"budget_ms": 3}).claim()
    load(tmp_path, output=output, search={"budget_ms": 4}).claim()
    (tmp_path / "run" / "search.jsonl").touch()
    load(tmp_path, output=output, search={"budget_ms": 4}).claim()
    message = (
        "holds a run with another 'search.budget_ms': 4.* 'automoe search --supernet .*/supernet"
    )
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, output=output, search={"budget_ms": 3}).claim()


def test_a_cluster_is_looked_at_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'cluster' must be ray, .* Got 'foo'"):
        load(tmp_path, search={"budget_ms": 3, "cluster": "foo"})


def test_more_time_on_the_device_is_no_other_run(tmp_path: Path) -> None:
    output = str(tmp_path / "run")
    load(tmp_path, output=output, search={"budget_ms": 3}).claim()
    (tmp_path / "run" / "search.jsonl").touch()
    more = {"budget_ms": 3, "verify_most": 40, "device_minutes": 90}
    load(tmp_path, output=output, search=more).claim()
    with pytest.raises(ConfigError, match="holds a run with another 'search.budget_ms': 3"):
        load(tmp_path, output=output, search={**more, "budget_ms": 4}).claim()


def test_fewer_measured_in_all_than_together_is_no_mistake_unless_it_was_said(
    tmp_path: Path,
) -> None:
    settings = load(tmp_path, search={"budget_ms": 3, "verify_most": 3}).search.settings(1.0)
    assert settings.verify_most == 3
    with pytest.raises(ConfigError, match="'verify_top' must be at most 'verify_most' 3. Got 4"):
        load(tmp_path, search={"budget_ms": 3, "verify_most": 3, "verify_top": 4})


def test_a_trace_that_is_not_there_is_named(tmp_path: Path) -> None:
    message = "'trace:lost.json' cannot be read: No such file"
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, workload={"routing": "trace:lost.json"})


def test_lengths_and_batch_of_the_sentence_are_the_spaces_unless_they_are_given(
    tmp_path: Path,
) -> None:
    config = load(tmp_path)
    space = config.space.open()
    own = config.workload.sentence(space)
    assert (own.src_len, own.tgt_len, own.batch) == (space.src_len, space.tgt_len, 1)
    given = load(tmp_path, workload={"src_len": 7, "tgt_len": 9, "batch": 4}).workload.sentence(
        space
    )
    assert (given.src_len, given.tgt_len, given.batch) == (7, 9, 4)
    assert given.vocab_size == own.vocab_size


def test_a_run_of_an_earlier_release_goes_on(tmp_path: Path) -> None:
    output = str(tmp_path / "run")
    load(tmp_path, output=output).claim()
    claim = tmp_path / "run" / "config.json"
    content = json.loads(claim.read_text())
    content["workload"] = {"beam": 1, "routing": "balanced"}  # all that 0.1.0 knew
    claim.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="holds a run with another 'workload.batch': 1"):
        load(tmp_path, output=output, workload={"batch": 2}).claim()
    load(tmp_path, output=output).claim()


def test_trainings_of_an_earlier_release_go_on(tmp_path: Path) -> None:
    output = str(tmp_path / "run")
    load(tmp_path, output=output, train={"updates": 5}).claim()
    claim = tmp_path / "run" / "config.json"
    content = json.loads(claim.read_text())
    for section in ("train", "finetune"):
        for name in ("initial_weights", "final_weights", "average", "patience"):
            del content[section][name]
        for name in ("validate_subnets", "elastic_dropout", "expert_dropout"):
            del content[section][name]
    claim.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="another 'finetune.initial_weights': supernet"):
        load(
            tmp_path,
            output=output,
            train={"updates": 5},
            finetune={"initial_weights": "scratch"},
        ).claim()
    load(tmp_path, output=output, train={"updates": 5}).claim()


def test_trackers_may_change_between_two_calls(tmp_path: Path) -> None:
    output = str(tmp_path / "run")
    load(tmp_path, output=output, train={"track": ["tensorboard"]}).claim()
    load(tmp_path, output=output).claim()


def test_each_field_that_the_folder_lacks_or_has_beside_is_understood(tmp_path: Path) -> None:
    output = str(tmp_path / "run")
    config = load(tmp_path, output=output)
    config.claim()
    claim = tmp_path / "run" / "config.json"
    whole = json.loads(claim.read_text())
    needed = {"name", "space", "space.name", "search", "search.budget_ms"}
    sections = [(x, y) for x, y in whole.items() if isinstance(y, dict)]
    names = [*whole, *(f"{section}.{name}" for section, own in sections for name in own)]
    for name in [*names, "later", "train.later"]:
        content = json.loads(json.dumps(whole))
        section, _, field = name.rpartition(".")
        own = content[section] if section else content
        if "later" in name:
            own[field] = 3
        else:
            del own[field]
        claim.write_text(json.dumps(content))
        if "later" in name or name in needed - {"search", "search.budget_ms"}:
            with pytest.raises(ConfigError, match=rf"holds a run with another '{section or field}"):
                config.require_own_folder()
        else:  # of the search, everything may change until it begins
            config.require_own_folder()
    (tmp_path / "run" / "search.jsonl").touch()
    del whole["search"]["budget_ms"]
    claim.write_text(json.dumps(whole))
    with pytest.raises(ConfigError, match=r"holds a run with another 'search.budget_ms': None"):
        config.require_own_folder()
