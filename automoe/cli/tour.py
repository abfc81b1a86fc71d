"""This module lists the commands in the order of use, with one line and two examples for each.

It imports no command, so that ``automoe --help`` is quick.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        function: Where its function is, as MODULE:NAME in this package.
        summary: Its line in the list of commands.
        examples: Command lines that the program understands.
    """

    function: str
    summary: str
    examples: tuple[str, str]


TOUR: Mapping[str, Mapping[str, Command]] = {
    "1. Look at your device": {
        "devices": Command(
            "devices:list_devices",
            "List the devices that can be measured, here or on a host.",
            ("automoe devices", "automoe devices --host pi@board --json"),
        ),
        "doctor": Command(
            "devices:doctor",
            "Say what would disturb a measurement there, and the remedy.",
            ("automoe doctor", "automoe doctor --device raspberry-pi --host pi@board"),
        ),
    },
    "2. Measure latencies": {
        "profile": Command(
            "profiling:profile",
            "Measure architectures, or any ONNX model, into a log.",
            (
                "automoe profile --device cpu --space tiny --max-experts 4 --fractional -n 40 "
                "--fast --log lat.csv",
                "automoe profile --device cpu --model m.onnx --input-shape 'x=1x{64,128}' "
                "--log m.csv",
            ),
        ),
        "log": Command(
            "log",
            "Show, check, merge or share logs of latencies.",
            ("automoe log show lat.csv", "automoe log check lat.csv"),
        ),
        "compare": Command(
            "comparing:compare",
            "Say whether one log is faster than another.",
            (
                "automoe compare before.csv after.csv",
                "automoe compare before.csv after.csv --fail-on slower:5%",
            ),
        ),
    },
    "3. Predict latencies": {
        "fit": Command(
            "predicting:fit",
            "Fit a predictor with bounds to any log.",
            (
                "automoe fit lat.csv -o latency.predictor",
                "automoe fit theirs.csv --target encoder_ms --target decoder_ms -o p.predictor "
                "--html fit.html",
            ),
        ),
        "predict": Command(
            "predicting:predict",
            "Predict latencies of architectures, or of the rows of a CSV.",
            (
                "automoe predict latency.predictor archs.jsonl",
                "automoe predict latency.predictor new.csv --confidence 0.9 -o predicted.csv",
            ),
        ),
    },
    "4. Search under a budget": {
        "space": Command(
            "architectures:show_space",
            "Show the choices and the size of a search space.",
            ("automoe space tiny", "automoe space wmt14-en-de --max-experts 6 --json"),
        ),
        "train": Command(
            "training:train",
            "Train a supernet, whose subnets share its weights.",
            (
                "automoe train --space tiny --max-experts 4 --fractional --updates 3000 "
                "-o supernet",
                "automoe train --space tiny --max-experts 4 --fractional --data text --source en "
                "--target de -o supernet",
            ),
        ),
        "search": Command(
            "searching:search",
            "Find the best architecture within a budget, and verify it.",
            (
                "automoe search --supernet supernet --predictor latency.predictor --budget-ms 12 "
                "--device cpu -o best.json",
                "automoe search --supernet supernet --predictor latency.predictor "
                "--budget-share 0.8 --pareto -o front.json",
            ),
        ),
        "ranking": Command(
            "ranking:ranking",
            "Check whether a supernet ranks subnets as training alone does.",
            ("automoe ranking supernet", "automoe ranking supernet -n 12 --updates 1000 --json"),
        ),
    },
    "5. Ship the model": {
        "finetune": Command(
            "training:finetune",
            "Train one architecture and export it.",
            (
                "automoe finetune best.json --supernet supernet -o model",
                "automoe finetune best.json --data text --source en --target de -o model",
            ),
        ),
        "evaluate": Command(
            "translating:evaluate",
            "Compute BLEU, and time a model on real sentences.",
            ("automoe evaluate model", "automoe evaluate model --data text --split test --json"),
        ),
        "translate": Command(
            "translating:translate",
            "Translate lines of text.",
            ("automoe translate model < input.txt", "automoe translate model --beam 1 < input.txt"),
        ),
        "benchmark": Command(
            "benchmarking:benchmark",
            "Time a model as the WMT efficiency task does.",
            ("automoe benchmark model", "automoe benchmark bundle --data text --beam 1 --json"),
        ),
        "serve": Command(
            "serving:serve",
            "Translate over HTTP.",
            (
                "automoe serve bundle",
                "automoe serve bundle --host 0.0.0.0 --port 80 --threads 4 --beam 1",
            ),
        ),
        "export": Command(
            "exporting:export",
            "Write ONNX graphs, checked against torch.",
            (
                "automoe export best.json --checkpoint model -o bundle",
                "automoe export best.json --checkpoint model --format tensorrt --precision fp16 "
                "-o engine",
            ),
        ),
    },
    "All of these steps": {
        "run": Command(
            "pipeline:run",
            "Run every step of a configuration; the same command resumes.",
            (
                "automoe run examples/quickstart.yaml --dry-run",
                "automoe run examples/quickstart.yaml",
            ),
        ),
        "report": Command(
            "pipeline:report",
            "Draw the page of a finished run again, or compare two runs.",
            (
                "automoe report runs/quickstart -o report.html",
                "automoe report --compare runs/first runs/second -o compared.html",
            ),
        ),
    },
    "Tools": {
        "sample": Command(
            "architectures:sample",
            "Draw random architectures from a space.",
            (
                "automoe sample --space tiny --max-experts 4 --fractional -n 5 -o archs.jsonl",
                "automoe sample --space wmt14-en-de -n 5 --seed 1 -o dense.jsonl",
            ),
        ),
        "cost": Command(
            "costing:show_cost",
            "Count FLOPs, weights and memory of an architecture or graph.",
            ("automoe cost best.json", "automoe cost m.onnx --input-shape x=1x64 --json"),
        ),
        "lint": Command(
            "linting:lint",
            "Say whether TensorRT accepts a graph, and why not.",
            ("automoe lint m.onnx", "automoe lint m.onnx --dialect 8.5 --dialect 10"),
        ),
    },
}
LOG_COMMANDS: Mapping[str, Command] = {
    "show": Command(
        "log:show",
        "Show what a log holds.",
        ("automoe log show lat.csv", "automoe log show lat.csv --html log.html"),
    ),
    "check": Command(
        "log:check",
        "Say whether a log can be trusted; exit 4 when it must not be fitted.",
        ("automoe log check lat.csv", "automoe log check theirs.csv --target latency --unit us"),
    ),
    "merge": Command(
        "log:merge",
        "Write several logs into one.",
        (
            "automoe log merge monday.csv tuesday.csv -o both.csv",
            "automoe log merge board-*.csv -o boards.csv",
        ),
    ),
    "share": Command(
        "log:share",
        "Write a log for others, without names.",
        (
            "automoe log share lat.csv -o shared.json",
            "automoe log share lat.csv --host pi@board --drop note -o shared.json",
        ),
    ),
}
FIRST_STEPS = (
    "automoe devices",
    "automoe profile --device cpu --space tiny --max-experts 4 --fractional -n 40 --fast "
    "--log lat.csv",
    "automoe fit lat.csv -o latency.predictor",
    "automoe COMMAND --help",
)
