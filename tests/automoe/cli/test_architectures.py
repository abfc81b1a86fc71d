import json
from pathlib import Path

import pytest
import yaml
from support.small_text import small_space

from automoe.architecture.architecture_files import read_architectures
from automoe.architecture.space import SearchSpace
from automoe.architecture.translation_workload import TranslationWorkload
from automoe.cli.main import main

Capture = pytest.CaptureFixture[str]


def test_a_space_in_json(capsys: Capture) -> None:
    assert main(["space", "tiny", "--max-experts", "2", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    space = SearchSpace.preset("tiny", max_experts=2)
    assert content["count"] == space.count  # a number, exact
    assert (content["name"], content["max_experts"], content["fractional"]) == ("tiny", 2, False)
    assert content["dimensions"]["encoder"]["ffn_dim"] == [512, 256, 128]
    for name, architecture in (("smallest", space.smallest()), ("largest", space.largest())):
        expected = TranslationWorkload.of(space).cost(architecture).to_dict()
        assert content[name] == {"id": architecture.id, **expected}


def test_sampling_is_seeded_and_bounded(capsys: Capture, tmp_path: Path) -> None:
    space = tmp_path / "space.yaml"
    one = small_space(
        encoder={"embed_dim": [16], "layers": [2], "heads": [2, 1], "ffn_dim": [16]},
        decoder={
            **small_space().decoder.model_dump(mode="json"),
            **{"embed_dim": [16], "layers": [1], "heads": [1], "ffn_dim": [16]},
            **{"cross_heads": [1], "cross_span": [1]},
        },
        max_experts=1,
        fractional=False,
    )
    space.write_text(yaml.safe_dump(one.model_dump(mode="json")))
    out, again = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    for path in (out, again):
        arguments = ["sample", "--space", str(space), "-n", "9", "--seed", "4", "-o", str(path)]
        assert main(arguments) == 0
    assert "'small' gave only 4 distinct architectures of 9" in capsys.readouterr().err
    assert out.read_bytes() == again.read_bytes()
    assert one.count == 4
    assert len(set(read_architectures(out))) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "unknown key 'colour'"),
        ({"qkv_dim": "wide"}, "'qkv_dim' must be a whole number. Got 'wide'"),
    ],
)
def test_a_bad_architecture_names_file_and_field(
    capsys: Capture, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = tmp_path / "arch.json"
    path.write_text(json.dumps({**small_space().smallest().to_dict(), **change}))
    assert main(["cost", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(path) in line
    assert message in line


def test_a_published_yaml_has_a_cost(capsys: Capture, published_subnets: Path) -> None:
    path = min(published_subnets.rglob("*.yml"))
    assert main(["cost", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["params"] > 1e6


def test_none_is_no_sample(capsys: Capture, tmp_path: Path) -> None:
    assert main(["sample", "--space", "tiny", "-n", "0", "-o", str(tmp_path / "a.jsonl")]) == 2
    assert "-n" in capsys.readouterr().err


def test_a_stack_with_a_limit_of_its_own_is_shown(capsys: Capture, tmp_path: Path) -> None:
    content = small_space().model_dump(mode="json")
    content["encoder"]["max_experts"] = 1
    space = tmp_path / "space.yaml"
    space.write_text(yaml.safe_dump(content))
    assert main(["space", str(space)]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["encoder.max_experts"] == "1"
    assert lines["encoder.heads"] == "[2, 1]"
