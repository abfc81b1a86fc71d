"""Say in a few lines what came out of a run, and what to try next."""

import math
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devices.rounding import rounded, rounded_down, rounded_up

if TYPE_CHECKING:
    from automoe.pipeline import RunConfig, RunSummary

_SHOWN_WIDTH = 14


def summary_of(summary: "RunSummary", config: "RunConfig", path: Path) -> list[str]:
    """Return the lines that are printed when a run is finished.

    Args:
        summary: The files of the run.
        config: The configuration of the run.
        path: The file of the configuration.
    """
    from automoe.report import verdict_of  # matplotlib takes a moment to import

    result = summary.result
    verdict = verdict_of(result)
    return [
        f"{verdict.word}: {verdict.reason}",
        *([verdict.remark] if verdict.remark else []),
        "",
        _field("searched", _searched(result)),
        _field("budget", budget_in_words(result["budget_ms"], config.search.budget_share)),
        "",
        *_compared(result),
        *(["", f"The winner has {verdict.headline}."] if verdict.headline else []),
        "",
        _field("report", summary.report_path),
        _field("result", summary.result_path),
        "",
        "Try next:",
        *(f"  {line}" for line in next_commands(summary, config, path)),
    ]


def budget_in_words(budget_ms: float, share: float | None) -> str:
    """Return the budget, and what it was computed from when it is a share."""
    if share is None:
        return f"{rounded_up(budget_ms)} ms, as the configuration says"
    of = f"{share:.4g} times the {rounded(budget_ms / share)} ms"
    return (
        f"{rounded_up(budget_ms)} ms, which is {of} that were predicted for the largest dense "
        "architecture"
    )


def next_commands(summary: "RunSummary", config: "RunConfig", path: Path) -> list[str]:
    """Return lines for a shell that go on from a finished run, with comments."""
    from automoe.run_files import PREDICTOR, SUPERNET, VERIFICATION, WINNER
    from automoe.search.certify.measuring import deletion_of

    automoe, folder = program(), config.folder
    result = summary.result
    sentence = shlex.quote(config.data.open().split("test").source[0])
    device = shlex.join(
        ["--device", config.device, *(["--host", config.host] if config.host else [])]
    )
    lines = [
        "# Translate with the winner:",
        f"echo {sentence} | {automoe} translate {_quoted(folder / WINNER)}",
        "# Search the same supernet under another budget:",
        f"{automoe} search --supernet {_quoted(folder / SUPERNET)} --predictor "
        f"{_quoted(folder / PREDICTOR)} --budget-ms {_smaller_budget(result)} "
        f"--generations 3 {device} -o best.json",
        "# See what can be measured here, and on boards over SSH:",
        f"{automoe} devices",
    ]
    if not result["certified"]:
        deletion = deletion_of(folder / VERIFICATION)
        is_said = deletion in result["reason"]
        lines += [
            "# See what disturbs a measurement here:",
            f"{automoe} doctor {device}",
            "# When nothing does, measure once more"
            + (", after the 'rm' that is named above:" if is_said else ":"),
            *([] if is_said else [deletion]),
            f"{automoe} run {_quoted(path)}",
        ]
    return lines


def program() -> str:
    """Return the word that starts this program in the user's shell."""
    if shutil.which("automoe"):
        return "automoe"
    path = Path(sys.executable).with_name("automoe")
    here = Path.cwd()
    return _quoted(path.relative_to(here) if path.is_relative_to(here) else path)


def _smaller_budget(result: Mapping[str, Any]) -> str:
    """Return a budget between the smallest feasible one and that of the run, in milliseconds."""
    lowest_ms = result["feasibility"]["smallest"]["upper_ms"]
    return rounded_up(math.sqrt(lowest_ms * result["budget_ms"]))


def _searched(result: Mapping[str, Any]) -> str:
    space = result["space"]
    device = result["device"]["name"]
    return (
        f"the space '{space['name']}' of {_in_words(space['count'])} architectures: "
        f"{result['n_evaluated']} were evaluated, {result['n_measured']} measured on {device}"
    )


def _in_words(count: int) -> str:
    """Return a count that is easy to read, without its last digits."""
    for digits, name in ((9, "billion"), (6, "million"), (3, "thousand")):
        if 10**digits <= count < 1000 * 10**digits:
            return f"{count / 10**digits:.3g} {name}"
    return str(count) if count < 1000 else f"about 10^{len(str(count)) - 1}"


def _compared(result: Mapping[str, Any]) -> list[str]:
    """Return a table of the winner beside the largest dense model."""
    dense = result["baseline"]
    n_sentences = result.get("n_sentences")
    bleu = f"BLEU of {n_sentences} sentences" if n_sentences else "BLEU"
    rows = {
        "": ("winner", "largest dense model"),
        "latency": (_latency(result), _latency(dense)),
        **_translation(result, dense),
        bleu: (f"{result['bleu']:.1f}", f"{dense['bleu']:.1f}"),
        "parameters": (_parameters(result), _parameters(dense)),
        "architecture": (result["architecture_id"], dense["architecture_id"]),
    }
    first = max(len(name) for name in rows) + 2
    second = max(len(row[0]) for row in rows.values()) + 2
    return [f"{name:<{first}}{row[0]:<{second}}{row[1]}" for name, row in rows.items()]


def _latency(entry: Mapping[str, Any]) -> str:
    latency = entry["latency_ms"]
    if latency["measured"] is None:
        return f"{rounded(latency['predicted'])} ms, predicted"
    low, high = rounded_down(latency["ci_low"]), rounded_up(latency["ci_high"])
    return f"{rounded(latency['measured'])} ms ({low} to {high})"


def _translation(*entries: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return a row of the times of whole translations, with their search, if they are known."""
    times = [entry.get("translation_ms") for entry in entries]
    if not all(times):
        return {}
    shown = (f"{rounded(x['whole'])} ms (graphs {rounded(x['graphs'])})" for x in times if x)
    return {"whole translation": tuple(shown)}


def _parameters(entry: Mapping[str, Any]) -> str:
    total, active = (entry[name] / 1e6 for name in ("params", "active_params"))
    of_token = "" if active == total else f", {active:.2f} M for a token"
    return f"{total:.2f} M{of_token}"


def _field(name: str, value: object) -> str:
    return f"{name:<{_SHOWN_WIDTH}}{value}"


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
