"""How the pictures of the documents look, and how they are saved."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#2456a6", "#c8551b", "#6b7280"


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a width and height in inches, on white."""
    mpl.rcParams.update(
        {
            "svg.fonttype": "none",  # text stays text: small, and readable aloud
            "svg.hashsalt": "automoe",  # the same picture gives the same file
            "font.family": "sans-serif",
            "font.size": 11,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )
    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def save(figure: Figure, path: Path) -> None:
    """Write a figure as SVG without a date, so that only a new picture changes the file."""
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")
