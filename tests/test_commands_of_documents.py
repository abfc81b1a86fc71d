"""Everything that the documents tell a reader to type is run here, from their own text.

The lines of one document are run in order in one folder, so that what one leaves feeds the next.
Two tables name the exceptions: lines that are not run, and lines that may end with another exit
code than 0. Every line is also parsed by the program's own parser, which finds a wrong option in
seconds.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper
from support.commands import command_names, command_of, options_of, parse
from support.documents import Typed, blocks_of, invocations, mentions_of, typed_of
from support.ssh_in_place import SshInPlace

from automoe.cli.main import main

ROOT = Path(__file__).parents[1]
EARLIER = ROOT / "tests/earlier_files"
README = ROOT / "README.md"
# The architecture shows folders as indented text and has nothing to type.
PAGES = [page for page in sorted(ROOT.glob("docs/*.md")) if page.name != "ARCHITECTURE.md"]
DOCUMENTS = [
    *(README, ROOT / "CONTRIBUTING.md", ROOT / "community/README.md", *PAGES),
    *sorted(ROOT.glob("docs/guides/*.md")),
]
SENTENCES = [
    *DOCUMENTS,
    ROOT / "docs/ARCHITECTURE.md",
    *sorted(ROOT.glob("examples/*.yaml")),
]

# Each entry has the lines it is about as a shell pattern, and the reason.
NOT_RUN = {
    "make *": "it sets up an environment and takes minutes; `make --dry-run` knows the target",
    "python benchmarks/paper_claim *": "it takes a day; tests/benchmarks/paper_claim run its steps",
    "pip install *": "it needs a package index; the extras it names are in pyproject.toml",
    "uvx *": "it installs everything again, and needs a package index",
    "pipx *": "it installs everything again, and needs a package index",
    "automoe serve *": "it runs until it is told to end; test_serving.py starts it",
    "curl *": "it asks that server; test_serving.py runs it",
    '"""The Acme board*': "a module and its test, which test_new_device_guide.py runs",
}
OTHER_EXIT_CODES = {
    "* --host pi@*": ({7}, "it needs a Raspberry Pi; the ssh here leads to another machine"),
    "* --host nvidia@*": ({7}, "it needs a Jetson; the ssh here leads to another machine"),
    "automoe run run.yaml *": ({7}, "it needs a Raspberry Pi as well"),
    "automoe devices --host pi@board": ({0}, "any machine can be asked what it has"),
    "automoe doctor  *": ({0, 4}, "something may disturb measurements here"),
    "automoe log check *": ({0, 4}, "the machine may have drifted while it was measured"),
    "automoe search * --device cpu *": ({0, 4}, "a busy machine may certify nothing"),
    "* --until 5% *": ({0, 4}, "the guide says: not yet"),
    "automoe fit * --goal 5% *": ({0, 4}, "the guide says: not yet"),
}


def matching(table: Iterable[str], typed: Typed) -> str | None:
    """Return the most specific pattern of a table that a line matches."""
    patterns = [pattern for pattern in table if fnmatchcase(typed.text, pattern)]
    return max(patterns, key=len, default=None)


def all_typed() -> list[Typed]:
    return [typed for document in DOCUMENTS for typed in typed_of(document)]


def names(document: Path) -> str:
    return str(document.relative_to(ROOT))


@pytest.mark.parametrize("table", [NOT_RUN, OTHER_EXIT_CODES], ids=["not run", "exit codes"])
def test_every_exception_is_about_some_line(table: dict[str, object]) -> None:
    used = {matching(table, typed) for typed in all_typed()}
    assert [pattern for pattern in table if pattern not in used] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
def test_what_is_to_be_typed_is_in_blocks_that_are_run(document: Path) -> None:
    languages = {language for language, _ in blocks_of(document)}
    assert languages <= {"bash", "python", "text", "toml", "yaml"}
    fences = re.findall(r"^\s*```", document.read_text(), flags=re.M)
    assert len(fences) == 2 * len(blocks_of(document))
    sentences = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.M | re.S)
    assert re.findall(r"^(?: {4}|\t).+", sentences, flags=re.M) == []


AUTOMOE_LINES = [
    pytest.param(words, id=f"{names(document)}: {' '.join(words)}")
    for document in DOCUMENTS
    for typed in typed_of(document)
    if typed.language == "bash"
    for words in invocations(typed.text, "automoe")
]


@pytest.mark.parametrize("words", AUTOMOE_LINES)
def test_the_program_understands_every_line(words: list[str]) -> None:
    parse(words)


def test_the_parser_refuses_what_the_program_refuses() -> None:
    assert len(AUTOMOE_LINES) > 30
    parse(["fit", "lat.csv", "-o", "latency.predictor"])
    with pytest.raises(Exception, match=r"-o\b|\bout\b"):
        parse(["fit", "lat.csv"])
    with pytest.raises(Exception, match="option: --gaol"):
        parse(["fit", "lat.csv", "-o", "latency.predictor", "--gaol", "5%"])
    with pytest.raises(ValueError, match="has no command 'fits"):
        parse(["fits", "lat.csv"])


OTHER_PROGRAMS_OPTIONS = {"--stronglyTyped", "--fp16", "--int8"}  # trtexec's


def is_wrong(mention: str) -> bool:
    """Whether a mention names a command or an option that does not exist."""
    words = re.sub(r"\\\|\w+", "", mention).split()  # of `show\|check` the first
    options = set(re.findall(r"(?<![\w-])--[a-zA-Z][\w-]*", mention))
    if words[0] == "automoe" and re.match(r"automoe [a-z-]", mention):
        command = command_of(words[1:])
        return command is None or not options <= options_of(command)
    if command := command_of(words):
        return not options <= options_of(command)
    all_options = OTHER_PROGRAMS_OPTIONS.union(*(options_of(name) for name in command_names()))
    return words[0].startswith("--") and not options <= all_options


def test_a_wrong_mention_would_be_found() -> None:
    right = ["automoe fit LOG [--base P]", "log show\\|check", "--until 5%", "make test --x", "fit"]
    wrong = ["automoe fits", "automoe fit --until 5%", "profile --base P", "--untill 5%"]
    assert [mention for mention in (*right, *wrong) if is_wrong(mention)] == wrong


@pytest.mark.parametrize("document", SENTENCES, ids=names)
def test_commands_and_options_in_sentences_exist(document: Path) -> None:
    mentions = mentions_of(document.read_text().replace("\n# ", "\n"))
    assert [mention for mention in mentions if is_wrong(mention)] == []


def test_every_make_line_names_a_target() -> None:
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    targets = [words for typed in all_typed() for words in invocations(typed.text, "make")]
    assert ["demo"] in targets
    for target in targets:
        make = ["make", "--dry-run", *target]
        tried = subprocess.run(make, cwd=ROOT, env=environment, capture_output=True, check=False)
        assert tried.returncode == 0, tried.stderr


def test_the_extras_to_install_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = "".join(document.read_text() for document in DOCUMENTS)
    extras = set(re.findall(r"'?\.\[(\w+)\]'?", text))
    assert {"rtx", "ray", "dask"} <= extras <= set(project["optional-dependencies"])


def bring_for_readme(folder: Path) -> None:
    """Put the checkout's examples and logs and the reader's own files there."""
    shutil.copytree(ROOT / "examples", folder / "examples")
    shutil.copytree(ROOT / "benchmarks/logs", folder / "benchmarks/logs")
    tokens = helper.make_tensor_value_info("tokens", TensorProto.INT64, ["batch", "length"])
    states = helper.make_tensor_value_info("states", TensorProto.FLOAT, ["batch", "length", 64])
    table = np.random.default_rng(0).standard_normal((100, 64)).astype(np.float32)
    weights = [
        onnx.numpy_helper.from_array(table, "table"),
        onnx.numpy_helper.from_array(table[:64], "projection"),
    ]
    nodes = [
        helper.make_node("Gather", ["table", "tokens"], ["embedded"]),
        helper.make_node("MatMul", ["embedded", "projection"], ["states"]),
    ]
    graph = helper.make_graph(nodes, "theirs", [tokens], [states], weights)
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), folder / "model.onnx")
    bring_somebody_elses(folder)


def bring_somebody_elses(folder: Path) -> None:
    """Put a log there that another program wrote."""
    rng = np.random.default_rng(0)
    layers, width = rng.integers(1, 7, 60), rng.integers(1, 9, 60) * 256
    frame = pd.DataFrame({"layers": layers, "width": width, "kind": rng.choice(["a", "b"], 60)})
    frame["encoder_ms"] = 1 + layers * width / 1000 * rng.lognormal(0, 0.02, 60)
    frame["decoder_ms"] = 2 + layers * width / 500 * rng.lognormal(0, 0.02, 60)
    frame.to_csv(folder / "somebody-elses.csv", index=False)


def bring_for_community(folder: Path) -> None:
    """Put what people share there, and a log to share."""
    shutil.copytree(ROOT / "community", folder / "community")
    bring_measured(folder / "mine.csv")


def bring_measured(path: Path) -> None:
    """Put a log of some real measurements there: computed times are not shared."""
    log = ROOT / "benchmarks/logs/wmt14_en_de_beam5_xeon_6_blocks.csv"
    path.write_text("".join(log.read_text().splitlines(keepends=True)[:25]))


def bring_for_remote(folder: Path) -> None:
    """Put a search's inputs there, and a run's settings with the two lines the guide names."""
    shutil.copytree(EARLIER / "supernet", folder / "supernet")
    shutil.copytree(EARLIER / "text", folder / "text")
    shutil.copy(EARLIER / "latency.predictor", folder / "pi.predictor")
    shutil.copytree(ROOT / "examples", folder / "examples")  # the settings name files of it
    settings = (ROOT / "examples/quickstart.yaml").read_text()
    assert "device: cpu\n" in settings
    there = settings.replace("device: cpu\n", "device: raspberry-pi\nhost: pi@board\n")
    (folder / "run.yaml").write_text(there)


def bring_for_training(folder: Path) -> None:
    """Put a space, a corpus, short settings and a search's winner there."""
    for name in ("space.yaml", "train.yaml"):
        shutil.copy(EARLIER / name, folder / name)
    shutil.copytree(EARLIER / "text", folder / "text")
    shutil.copy(EARLIER / "certified.json", folder / "best.json")


def bring_for_tensorrt(folder: Path) -> None:
    """Put a search's winner and its model there."""
    shutil.copy(EARLIER / "certified.json", folder / "best.json")
    shutil.copytree(EARLIER / "model", folder / "model")


def bring_for_predictors(folder: Path) -> None:
    """Put logs there."""
    bring_measured(folder / "lat.csv")
    bring_somebody_elses(folder)


def bring_for_deploy(folder: Path) -> None:
    """Put a search's winner and its supernet there."""
    bring_for_training(folder)
    shutil.copytree(EARLIER / "supernet", folder / "supernet")
    shutil.copytree(ROOT / "examples", folder / "examples")


def bring_nothing(folder: Path) -> None:
    """Leave the folder empty: the document makes everything itself."""


def bring_for_any_model(folder: Path) -> None:
    """Put a model there whose length is an input, and a recording for it."""
    recording = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "T", 64])
    lengths = helper.make_tensor_value_info("x_lengths", TensorProto.INT64, ["batch"])
    states = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    square = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
    weights = [
        onnx.numpy_helper.from_array(square, "w"),
        onnx.numpy_helper.from_array(np.array([0], np.int64), "zero"),
        onnx.numpy_helper.from_array(np.array([1], np.int64), "one"),
    ]
    nodes = [
        helper.make_node("ReduceMax", ["x_lengths"], ["longest"], keepdims=1),
        helper.make_node("Slice", ["x", "zero", "longest", "one"], ["cut"]),
        helper.make_node("MatMul", ["cut", "w"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "speech", [recording, lengths], [states], weights)
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), folder / "speech.onnx")
    np.save(folder / "recording.npy", np.zeros((1, 50, 64), np.float32))


BRINGS: dict[str, Callable[[Path], None]] = {
    "README.md": bring_for_readme,
    "community/README.md": bring_for_community,
    "docs/quickstart.md": bring_for_readme,
    "docs/guides/profile.md": bring_for_readme,
    "docs/guides/deploy.md": bring_for_deploy,
    "docs/guides/any-model.md": bring_for_any_model,
    "docs/guides/predictors.md": bring_for_predictors,
    "docs/guides/python.md": bring_nothing,
    "docs/guides/remote.md": bring_for_remote,
    "docs/guides/tensorrt.md": bring_for_tensorrt,
    "docs/guides/training.md": bring_for_training,
}
SLOW = {
    *("README.md", "community/README.md", "docs/quickstart.md"),
    *(f"docs/guides/{name}.md" for name in ("profile", "deploy", "python")),
}
# It stands for a board's trtexec and fails unless it is told of a graph and all its shapes.
_TRTEXEC = """#!/bin/sh
case "$*" in
  --onnx=*\\ --minShapes=*\\ --optShapes=*\\ --maxShapes=*\\ --saveEngine=*) test -s "${1#*=}" ;;
  *) exit 1 ;;
esac
"""


def as_a_reader_does(typed: Typed) -> int:
    """Run it in a process of its own and return the exit code."""
    shell = ["bash", "-euo", "pipefail", "-c"]
    argv = shell if typed.language == "bash" else [sys.executable, "-c"]
    return subprocess.run([*argv, typed.text], check=False).returncode


def in_this_process(typed: Typed) -> int:
    """Run it without the seconds that a process needs to start, where it is the program alone."""
    words = shlex.split(typed.text, comments=True) if typed.language == "bash" else []
    if words[:1] == ["automoe"] and list(invocations(typed.text, "automoe")) == [words[1:]]:
        return main(words[1:])
    return as_a_reader_does(typed)


@pytest.mark.parametrize(
    ("document", "run"),
    [
        *(
            pytest.param(name, as_a_reader_does, marks=pytest.mark.slow, id=name)
            for name in sorted(SLOW)
        ),
        *(pytest.param(name, in_this_process, id=name) for name in BRINGS if name not in SLOW),
    ],
)
def test_every_line_runs(
    document: str,
    run: Callable[[Typed], int],
    ssh: SshInPlace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    trtexec = ssh.folder / "bin/trtexec"
    trtexec.write_text(_TRTEXEC)
    trtexec.chmod(0o755)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("PATH", str(ssh.folder / "bin"), prepend=os.pathsep)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    BRINGS[document](folder)
    for typed in typed_of(ROOT / document):
        if matching(NOT_RUN, typed):
            continue
        pattern = matching(OTHER_EXIT_CODES, typed)
        expected = OTHER_EXIT_CODES[pattern][0] if pattern else {0}
        code = run(typed)
        told = capfd.readouterr().err[-3000:]
        assert code in expected, f"{typed.text}\nended with {code}, not {expected}:\n{told}"


def test_every_line_is_in_a_document_that_is_run() -> None:
    run = {typed for name in BRINGS for typed in typed_of(ROOT / name)}
    assert [
        typed for typed in all_typed() if typed not in run and not matching(NOT_RUN, typed)
    ] == []
