import json
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from support.small_text import small_space, write_corpus

from automoe.architecture.architecture import Architecture
from automoe.cli.main import main
from automoe.supernet import Transformer, TransformerConfig, extract
from automoe.text import Vocabulary, open_corpus
from automoe.training.model_folder import TrainedModel
from automoe.training.supernet_run import remember_corpus
from automoe.translation import Translator

Capture = pytest.CaptureFixture[str]
SPACE = small_space()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A supernet and, beside it, its smallest subnet as a model of its own."""
    root = tmp_path_factory.mktemp("models")
    corpus = write_corpus(root / "text")
    vocabulary = Vocabulary.train(corpus, size=40, model_path=root / "v.model")
    supernet = Transformer(TransformerConfig.for_space(SPACE)).eval()
    TrainedModel(supernet, vocabulary, SPACE).save(root / "supernet")
    TrainedModel(extract(supernet, SPACE.smallest()), vocabulary).save(root / "alone")
    return root


def write(path: Path, architecture: Architecture | dict[str, object]) -> Path:
    content = architecture if isinstance(architecture, dict) else architecture.to_dict()
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("checkpoint", ["supernet", "alone"])
def test_trained_weights_come_with_their_vocabulary(
    capsys: Capture, folder: Path, tmp_path: Path, checkpoint: str
) -> None:
    path, out = write(tmp_path / "a.json", SPACE.smallest()), tmp_path / "bundle"
    flags = ["--checkpoint", str(folder / checkpoint), "--json"]
    assert main(["export", str(path), "-o", str(out), *flags]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["n_different_choices"] == 0
    assert "random" not in printed.err
    assert Vocabulary.load(out / "vocabulary.model").size == 40


def test_a_width_outside_the_supernet_is_named(
    capsys: Capture, folder: Path, tmp_path: Path
) -> None:
    content = SPACE.smallest().to_dict()
    content["encoder"]["layers"][0]["experts"] = [17]
    path = write(tmp_path / "a.json", content)
    flags = ["--checkpoint", str(folder / "supernet")]
    assert main(["export", str(path), "-o", str(tmp_path / "b"), *flags]) == 2
    message = "'encoder.layers[0].experts' must be one of [32, 16] in the space 'small'"
    assert message in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


def test_a_model_of_another_architecture_is_refused(
    capsys: Capture, folder: Path, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.json", SPACE.largest())
    flags = ["--checkpoint", str(folder / "alone")]
    assert main(["export", str(path), "-o", str(tmp_path / "b"), *flags]) == 2
    message = f"holds architecture {SPACE.smallest().id}. Got {SPACE.largest().id}"
    assert message in capsys.readouterr().err


def test_precisions_that_a_format_lacks_are_refused(capsys: Capture, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", SPACE.smallest())
    assert main(["export", str(path), "-o", str(tmp_path), "--precision", "fp16"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "'--precision' with '--format onnx' must be one of fp32, int8" in line
    assert "Got 'fp16'" in line


INT8 = ["--format", "tensorrt", "--precision", "int8"]


def test_int8_is_calibrated_with_the_text_that_is_given(
    capsys: Capture, folder: Path, tmp_path: Path
) -> None:
    path, out = write(tmp_path / "a.json", SPACE.smallest()), tmp_path / "bundle"
    flags = [*INT8, "--checkpoint", str(folder / "supernet")]
    assert main(["export", str(path), "-o", str(out), *flags]) == 2
    assert "corpus.json' is missing, which names the text. Give --data" in capsys.readouterr().err
    note = folder / "supernet/corpus.json"
    flags += ["--data", str(folder / "text"), "--json"]
    assert main(["export", str(path), "-o", str(out), *flags]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["precision"] == "int8"
    assert 0 < printed["median_difference"] < 0.1 * printed["spread"]
    assert Translator.open(out, beam=2).translate("a b").target_tokens > 0
    remember_corpus(folder / "supernet", open_corpus(folder / "text"))
    assert main(["export", str(path), "-o", str(out), *flags[:-3]]) == 0
    assert (out / "corpus.json").read_text() == note.read_text()
    described = json.loads((out / "bundle.json").read_text())
    assert described["files"].keys() == {p.name for p in out.iterdir()} - {"bundle.json"}
    assert {"corpus.json", "tensorrt.json", "README.md"} <= described["files"].keys()
    assert "# Translation from en to de" in (out / "README.md").read_text()
    note.unlink()


@pytest.mark.parametrize("precision", ["int8", "int8-weights", "int4-weights"])
def test_what_integers_cost_is_told_where_they_are_chosen(
    capsys: Capture, folder: Path, tmp_path: Path, precision: str
) -> None:
    path, out = write(tmp_path / "a.json", SPACE.largest()), tmp_path / "bundle"
    flags = ["--precision", precision, "--checkpoint", str(folder / "supernet"), "--json"]
    assert main(["export", str(path), "-o", str(out), *flags]) == 0
    printed = capsys.readouterr()
    assert f"What {precision} costs in BLEU is not told: give a text with --data." in printed.err
    assert "bleu" not in json.loads(printed.out)
    flags += ["--data", str(folder / "text")]
    assert main(["export", str(path), "-o", str(out), *flags]) == 0
    told = json.loads(capsys.readouterr().out)
    n_valid = len(open_corpus(folder / "text").split("valid"))
    assert told["n_sentences"] == n_valid
    assert 0 <= told["n_changed"] <= n_valid
    assert told["n_choices"] > told["n_different_choices"]
    described = json.loads((out / "bundle.json").read_text())
    assert described["precision_cost"] == {x: told[x] for x in described["precision_cost"]}
    assert (
        f"{told['n_changed']} of {n_valid} translations differ" in (out / "README.md").read_text()
    )
    assert {"bleu", "bleu_fp32", "chrf", "chrf_fp32"} <= told.keys()
    assert Translator.open(out).translate("a b").target_tokens > 0


def test_a_shortlist_is_learned_from_the_training_text(
    capsys: Capture, folder: Path, tmp_path: Path
) -> None:
    path, out = write(tmp_path / "a.json", SPACE.smallest()), tmp_path / "bundle"
    flags = ["--shortlist", "4", "--checkpoint", str(folder / "supernet"), "--json"]
    assert main(["export", str(path), "-o", str(out), *flags]) == 2
    assert "Give --data" in capsys.readouterr().err
    flags += ["--data", str(folder / "text")]
    assert main(["export", str(path), "-o", str(out), *flags]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["n_sentences"] > 0
    rows = np.fromfile(out / "shortlist.bin", np.int32).reshape(40 + 1, 4)
    chosen = [
        {piece for row in (*sentence, 2, -1) for piece in rows[row].tolist()} | {2}
        for sentence in Vocabulary.load(out / "vocabulary.model").encode_all(
            open_corpus(folder / "text").split("valid").source
        )
    ]
    assert told["n_candidates"] == round(sum(len(x - {-1, 0, 1}) for x in chosen) / len(chosen))
    assert Translator.open(out).translate("a b").target_tokens > 0


def test_int8_of_random_weights_needs_no_text(capsys: Capture, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", SPACE.smallest())
    flags = ["--vocab-size", "40", "--max-positions", "12", "--json"]
    assert main(["export", str(path), "-o", str(tmp_path / "b"), *INT8, *flags]) == 0
    assert json.loads(capsys.readouterr().out)["precision"] == "int8"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data", "text"], "'--data' is the text for '--shortlist' or a '--precision' other"),
        (["--shortlist", "9"], "'--shortlist' is about '--checkpoint': give both"),
        (["--shortlist", "9", "--format", "tensorrt"], "A shortlist needs the form onnx and"),
        ([*INT8, "--data", "text"], "with int8 and checkpoint None; leave it out"),
        ([*INT8, "--source", "en"], "'--source' is about '--data': give both"),
    ],
)
def test_text_that_nothing_reads_is_refused(
    capsys: Capture, tmp_path: Path, flags: list[str], message: str
) -> None:
    path = write(tmp_path / "a.json", SPACE.smallest())
    assert main(["export", str(path), "-o", str(tmp_path / "b"), *flags]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "b").exists()


def test_a_bundle_for_tensorrt_says_what_an_engine_is_built_for(
    capsys: Capture, folder: Path, tmp_path: Path
) -> None:
    path, out = write(tmp_path / "a.json", SPACE.smallest()), tmp_path / "bundle"
    flags = ["--checkpoint", str(folder / "alone"), "--format", "tensorrt", "--precision", "fp16"]
    assert main(["export", str(path), "-o", str(out), *flags, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["format"], printed["precision"]) == ("tensorrt", "fp16")
    assert 0 < printed["median_difference"] < 0.05
    assert {"encoder.onnx", "decoder.onnx"} == set(
        json.loads((out / "tensorrt.json").read_text())["graphs"]
    )
    assert not [file for file in out.iterdir() if file.suffix in (".plan", ".engine", ".trt")]
    # ONNX Runtime translates with it too.
    translation = Translator.open(out, beam=2).translate("a b")
    assert translation.target_tokens > 0


def test_a_model_is_written_for_a_hub(capsys: Capture, folder: Path, tmp_path: Path) -> None:
    path, out = write(tmp_path / "a.json", SPACE.smallest()), tmp_path / "hub"
    remember_corpus(folder / "alone", open_corpus(folder / "text"))
    flags = ["--checkpoint", str(folder / "alone"), "--format", "huggingface"]
    assert main(["export", str(path), "-o", str(out), *flags]) == 0
    assert "before you publish: the training text and the licence" in capsys.readouterr().err
    card = (out / "README.md").read_text()
    assert '- "en"\n- "de"' in card
    files = [path for path in out.rglob("*") if path.is_file()]
    assert out / "onnx/bundle.json" in files
    assert not any(str(folder).encode() in file.read_bytes() for file in files)
    assert main(["export", str(path), "-o", str(out), *flags[:-1], "huggingface", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["architecture_id"] == SPACE.smallest().id


def test_a_card_has_the_score_of_this_model_and_its_split(
    capsys: Capture, folder: Path, tmp_path: Path
) -> None:
    path, model = write(tmp_path / "a.json", SPACE.smallest()), tmp_path / "model"
    copytree(folder / "alone", model)
    flags = ["--checkpoint", str(model), "--format", "huggingface", "-o"]
    assert main(["export", str(path), *flags, str(tmp_path / "hub")]) == 0
    copytree(tmp_path / "hub/onnx", model / "onnx")
    text = ["--data", str(folder / "text"), "--split", "valid", "--beam", "1", "--json"]
    capsys.readouterr()
    assert main(["evaluate", str(model), *text]) == 0
    evaluation = json.loads(capsys.readouterr().out)
    assert (evaluation["split"], evaluation["architecture_id"]) == ("valid", SPACE.smallest().id)
    write(model / "evaluation.json", evaluation)
    assert main(["export", str(path), *flags, str(tmp_path / "again")]) == 0
    assert (
        'dataset: {name: "valid split", type: text}' in (tmp_path / "again/README.md").read_text()
    )
    write(model / "evaluation.json", evaluation | {"architecture_id": SPACE.largest().id})
    assert main(["export", str(path), *flags, str(tmp_path / "third")]) == 2
    assert f"The evaluation is of architecture {SPACE.largest().id}" in capsys.readouterr().err


@pytest.mark.parametrize("more", [["--precision", "fp16"], ["--vocab-size", "40"]])
def test_what_a_hub_does_not_take_is_refused(
    capsys: Capture, folder: Path, tmp_path: Path, more: list[str]
) -> None:
    path = write(tmp_path / "a.json", SPACE.smallest())
    flags = ["--checkpoint", str(folder / "alone"), "--format", "huggingface"]
    assert main(["export", str(path), "-o", str(tmp_path / "hub"), *flags, *more]) == 2
    assert "'--format huggingface' needs the trained weights" in capsys.readouterr().err
    inside = str(folder / "alone" / "hub")
    assert main(["export", str(path), "-o", inside, *flags]) == 2
    assert "which is read. Move it." in capsys.readouterr().err
