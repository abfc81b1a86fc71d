"""Every argument and flag of every command, with its default: scripts of users rely on them."""

import inspect

import pytest
from cyclopts.argument import Argument
from support.commands import arguments_of, command_names

# Positional arguments in capitals; `*` after what is required; `=` before a default.
CONTRACT = {
    "devices": "--host --json",
    "doctor": "--device=cpu --host --runtime=onnxruntime --json",
    "space": "NAME_OR_FILE --max-experts --fractional/--standard --json",
    "sample": "--space* --out/-o* -n=1 --seed=0 --max-experts --fractional/--standard --json",
    "cost": """
        FILE --json --src-len=30 --tgt-len=30 --vocab-size=32768 --input-shape --input
        --input-file --dim
    """,
    "export": """
        ARCHITECTURE --out/-o* --checkpoint --format=onnx --precision=fp32 --data --source
        --target --shortlist --vocab-size=32768 --max-positions=256 --json
    """,
    "lint": "MODEL --dialect --json",
    "profile": """
        --device* --log* --host --runtime=onnxruntime --space -n --until --minutes --archs
        --model --input-shape --input --input-file --max-experts --fractional/--standard
        --beam=1 --batch=1
        --routing=balanced --precision=fp32 --shortlist --src-len --tgt-len --vocab-size
        --threads=1 --fast
        --target --rounds --reference --lock-clocks --seed=0 --json
    """,
    "compare": "A B --margin=2% --fail-on --force --json",
    "fit": """
        LOG --out/-o* --target --unit --feature --group --base --goal --plots --html --seed=0 --json
    """,
    "predict": "PREDICTOR INPUT --out/-o --confidence=0.95 --json",
    "train": """
        --space* --out/-o* --data --source=en --target=de --max-experts --fractional/--standard
        --settings --updates=40000 --max-tokens=4096 --learning-rate=0.001 --warmup-updates
        --precision=no --sampling=uniform --patience=0 --final-weights=best --average=1 --track
        --seed=0 --json
    """,
    "finetune": """
        ARCHITECTURE --out/-o* --data --source --target --supernet --vocab-size=8000 --settings
        --updates=40000 --max-tokens=4096 --learning-rate=0.001 --warmup-updates --precision=no
        --patience=0 --initial-weights=supernet --final-weights=best --average=1 --track --seed=0
        --json
    """,
    "search": """
        --supernet* --predictor* --budget-ms --budget-share --out/-o* --confidence=0.95 --device
        --host --data --source --target --generations=30 --population=125 --parents=25 --mutants=50
        --crossovers=50 --mutation-probability=0.3 --prescreen=10 --random --max-flops --max-params
        --max-active-params --max-memory-mb --pareto --halvings=0 --objective=loss
        --verify-top=5 --verify-most=20 --device-minutes=30.0 --lock-clocks --routing --jobs
        --cluster --seed=0 --json
    """,
    "ranking": """
        SUPERNET --out/-o -n=8 --data --source --target --settings --updates=300
        --max-tokens=4096 --learning-rate=0.001 --warmup-updates --seed=0 --json
    """,
    "evaluate": """
        MODEL --data --source --target --split=test --beam=4 --length-penalty=0.6 --threads=1
        --exact --batch-tokens=1 --json
    """,
    "translate": """
        MODEL --beam=4 --length-penalty=0.6 --threads=1 --exact --batch-tokens=1024 --flush
        --errors=strict
    """,
    "benchmark": """
        MODEL --data --source --target --beam=4 --length-penalty=0.6 --threads=1 --exact
        --sentences=500 --batch-tokens=2048 --json
    """,
    "serve": """
        MODEL --beam=4 --length-penalty=0.6 --threads=1 --exact --host=127.0.0.1 --port=8000
        --batch-tokens=1024 --max-wait-ms=5.0 --queue=256 --grace-s=30.0
    """,
    "run": "CONFIG --dry-run --json",
    "report": "FOLDER --out/-o --compare --json",
    "log show": "LOG --all --html --json",
    "log check": "LOG --target --unit --json",
    "log merge": "LOGS --out/-o* --json",
    "log share": "LOG --out/-o* --drop --host --json",
}


def written(argument: Argument) -> str:
    """An argument as the contract writes it."""
    default = argument.field_info.default
    if not any(name.startswith("-") for name in argument.names):
        return argument.name
    required = "*" if argument.required else ""
    has_none = default in (None, (), inspect.Parameter.empty) or default is False
    return "/".join(sorted(argument.names)) + required + ("" if has_none else f"={default}")


@pytest.mark.parametrize("name", CONTRACT)
def test_a_command_takes_what_the_contract_says(name: str) -> None:
    assert sorted(map(written, arguments_of(name))) == sorted(CONTRACT[name].split())


def test_no_command_is_missing() -> None:
    assert sorted(command_names()) == sorted(CONTRACT)
