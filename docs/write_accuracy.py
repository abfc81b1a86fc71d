"""Write docs/accuracy.md from docs/accuracy.yaml.

    python docs/write_accuracy.py

A figure without a command, a date and a machine is refused.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
_KEYS = {"what", "goal", "met", "result", "detail", "commands", "date", "machine", "commit"}
_NEEDED = {"what", "result", "commands", "date", "machine"}
_INTRODUCTION = """# Accuracy: every published figure, and the misses

Each figure has the command that printed it, its date and its machine. `±` is the standard error of
a mean. A goal that was missed stays here. Everything was run on processors: **no figure comes from
a GPU, a Jetson or a Raspberry Pi**, because none was at hand. HAT's and NVIDIA's logs were measured
by others on their GPUs and boards, and are only fitted here.

Commands are typed in a checkout. Words in capitals, such as FOLDER, stand for a path of yours. To
add a figure, add it to `docs/accuracy.yaml` and run `python docs/write_accuracy.py`.
"""


def checked(figure: dict[str, Any], machines: dict[str, str]) -> dict[str, Any]:
    """Return a figure that can be published.

    Raises:
        ValueError: It lacks something, has an unknown key, or has a goal without a verdict.
    """
    name = figure.get("what", figure)
    if missing := sorted(_NEEDED - set(figure)):
        raise ValueError(f"'{name}' lacks {', '.join(missing)}.")
    if unknown := sorted(set(figure) - _KEYS):
        raise ValueError(f"'{name}' has unknown keys: {', '.join(unknown)}.")
    if ("goal" in figure) != isinstance(figure.get("met"), bool):
        raise ValueError(f"'{name}' needs both a goal and whether it is met, or neither.")
    if figure["machine"] not in machines:
        raise ValueError(f"'{name}' names the machine '{figure['machine']}', which is none.")
    if not figure["commands"]:
        raise ValueError(f"'{name}' has no command.")
    return figure


def verdict(figure: dict[str, Any]) -> str:
    """Return one word about the goal of a figure."""
    if "goal" not in figure:
        return "no goal"
    return "reached" if figure["met"] else "**missed**"


def details(figure: dict[str, Any], machines: dict[str, str]) -> Iterator[str]:
    """Yield the lines about one figure."""
    yield f"### {figure['what']}\n"
    if "goal" in figure:
        yield f"Goal: {figure['goal']}: {verdict(figure)}.\n"
    yield f"Result: {figure['result']}.\n"
    if "detail" in figure:
        yield f"{figure['detail']}\n"
    yield "```text"
    yield from figure["commands"]
    yield "```\n"
    commit = f", commit {figure['commit']}" if "commit" in figure else ""
    yield f"{figure['date']}{commit}; {machines[figure['machine']]}.\n"


def page(content: dict[str, Any]) -> str:
    """Return the text of the page.

    Raises:
        ValueError: A figure may not be published.
    """
    machines = content["machines"]
    lines = [_INTRODUCTION]
    for group in content["groups"]:
        lines += [f"## {group['title']}\n", "| what | result | goal |", "|---|---|---|"]
        for figure in group["figures"]:
            row = checked(figure, machines)
            lines.append(f"| {row['what']} | {row['result']} | {verdict(row)} |")
        lines.append("")
        for figure in group["figures"]:
            lines += details(figure, machines)
    return "\n".join(lines).rstrip("\n") + "\n"


def main() -> None:
    """Write the page."""
    content = yaml.safe_load((HERE / "accuracy.yaml").read_text(encoding="utf-8"))
    (HERE / "accuracy.md").write_text(page(content), encoding="utf-8")


if __name__ == "__main__":
    main()
