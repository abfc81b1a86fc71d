"""Carry out ``automoe evaluate`` and ``automoe translate``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from automoe.cli.console import print_fields, print_json, progress_bar
from automoe.cli.options import JsonOptions, Options, argument
from automoe.cli.outputs import require_folder
from automoe.cli.text_options import TextOptions, chosen_text
from automoe.deployed.description import DESCRIPTION as BUNDLE
from automoe.model_files import DESCRIPTION, ONNX
from automoe.settings.groups import DecodingSettings
from automoe.settings.search import Count
from devices.yaml_json import parse_json

if TYPE_CHECKING:
    from automoe.deployed.translator import Translator

_NO_MODEL = "No exported model in '{path}'. 'automoe finetune' makes one."
Model = Annotated[Path, argument("Folder of 'automoe finetune' or 'automoe export'.")]


class TranslatorOptions(Options, DecodingSettings):
    """The decoding, and its threads.

    Attributes:
        threads: Threads of ONNX Runtime.
        exact: Predict all pieces of the vocabulary, also with a shortlist.
    """

    threads: Count = 1
    exact: bool = False

    def open(self, model: Path) -> "Translator":
        """Open the bundle of a model: in its folder, or in the folder of its export."""
        require_folder(model, _NO_MODEL)
        if _is_supernet(model):
            raise ValueError(
                f"'{model}' is a supernet, which is not exported. Finetune one of its "
                "architectures: automoe finetune best.json --supernet "
                f"{model} -o model."
            )
        if not (model / ONNX).is_dir():
            require_folder(model, _NO_MODEL, holding=BUNDLE)
        from automoe.deployed.translator import Translator  # it imports ONNX Runtime

        return Translator.open(
            model,
            beam=self.beam,
            length_penalty=self.length_penalty,
            threads=self.threads,
            exact=self.exact,
        )


def _is_supernet(folder: Path) -> bool:
    """Return whether a folder holds a supernet, by the description of `automoe train`."""
    try:
        return parse_json((folder / DESCRIPTION).read_bytes())["space"] is not None
    except (OSError, ValueError, KeyError, TypeError):
        return False


class TranslateOptions(TranslatorOptions):
    """The decoding, and how lines are read.

    Attributes:
        batch_tokens: Most source tokens, with padding, that are translated together; 1 for each
            sentence alone.
        flush: Answer each line before the next one is read, as at a terminal.
        errors: Bytes that are not UTF-8: strict stops there, replace reads each as U+FFFD.
    """

    batch_tokens: Count = 1024
    flush: bool = False
    errors: Literal["strict", "replace"] = "strict"


class EvaluateOptions(TextOptions, TranslatorOptions, JsonOptions):
    """The sentences that a model is evaluated on.

    Attributes:
        split: Split of the corpus.
        batch_tokens: Most source tokens, with padding, that are translated together; with 1 the
            latency is that of a sentence alone.
        as_json: Print JSON, with every translation.
    """

    split: Literal["train", "valid", "test"] = "test"
    batch_tokens: Count = 1


def evaluate(model: Model, /, *, options: EvaluateOptions = EvaluateOptions()) -> None:
    """Score a model with sacreBLEU and time it on real sentences."""
    translator = options.open(model)
    from automoe.translation import evaluate as score  # torch takes seconds to import

    text = chosen_text(model, options).split(options.split)
    with progress_bar("Evaluate") as on_progress:
        scores = score(
            translator, text, batch_tokens=options.batch_tokens, on_progress=on_progress
        ).to_dict()
    of = translator.description.architecture_id
    evaluation = {"architecture_id": of, "split": options.split, **scores}
    if options.as_json:
        print_json(evaluation)
    else:
        print_fields({k: v for k, v in evaluation.items() if not isinstance(v, list | tuple)})


def translate(model: Model, /, *, options: TranslateOptions = TranslateOptions()) -> None:
    """Translate standard input, a sentence on each line of UTF-8, to standard output."""
    translator = options.open(model)
    from automoe.deployed.lines import decoded, translate_lines  # it imports ONNX Runtime

    numbered = enumerate(sys.stdin.buffer, start=1)
    lines = (decoded(line, number, options.errors) for number, line in numbered)
    flush = options.flush or sys.stdin.isatty()
    for text in translate_lines(translator, lines, batch_tokens=options.batch_tokens, flush=flush):
        print(text, flush=flush)
