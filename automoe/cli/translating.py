"""``automoe evaluate`` and ``automoe translate``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from automoe.cli.console import print_fields, print_json, progress_bar
from automoe.cli.text_options import Data, Source, Target, chosen_text

Model = Annotated[Path, typer.Argument(help="Folder of 'automoe finetune' or 'automoe export'.")]
Beam = Annotated[int, typer.Option(min=1, help="Hypotheses kept.")]
LengthPenalty = Annotated[float, typer.Option(min=0, help="0 prefers short translations.")]
Threads = Annotated[int, typer.Option(min=1, help="Of ONNX Runtime.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("evaluate")(evaluate)
    app.command("translate")(translate)


def evaluate(
    model: Model,
    data: Data = None,
    source: Source = None,
    target: Target = None,
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "test",
    beam: Beam = 4,
    length_penalty: LengthPenalty = 0.6,
    threads: Threads = 1,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, with every translation.")] = False,
) -> None:
    """Score a model with sacreBLEU and time it on real sentences."""
    # torch takes seconds to import
    from automoe.translation import Translator
    from automoe.translation import evaluate as score

    translator = Translator.open(
        _bundle(model), beam=beam, length_penalty=length_penalty, threads=threads
    )
    text = chosen_text(model, data, source, target).split(split)  # type: ignore[arg-type]
    with progress_bar("Evaluate") as on_progress:
        evaluation = score(translator, text, on_progress=on_progress).to_dict()
    if as_json:
        print_json(evaluation)
    else:
        print_fields({k: v for k, v in evaluation.items() if not isinstance(v, list | tuple)})


def translate(
    model: Model,
    beam: Beam = 4,
    length_penalty: LengthPenalty = 0.6,
    threads: Threads = 1,
) -> None:
    """Translate standard input, a sentence on each line, to standard output."""
    # torch takes seconds to import
    from automoe.translation import Translator

    translator = Translator.open(
        _bundle(model), beam=beam, length_penalty=length_penalty, threads=threads
    )
    for line in sys.stdin:
        print(translator.translate(line.strip()).text, flush=True)


def _bundle(model: Path) -> Path:
    """The exported graphs: in the folder itself, or in the model's own export."""
    from automoe.training import ONNX  # torch takes seconds to import

    return model / ONNX if (model / ONNX).is_dir() else model
