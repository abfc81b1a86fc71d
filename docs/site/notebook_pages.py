"""Turn a notebook into a page of Markdown, with its outputs as they were when it was executed."""

import json
from collections.abc import Iterator
from typing import Any


def page_of(notebook: str) -> str:
    """Return the Markdown of a notebook.

    Args:
        notebook: The content of an `.ipynb` file, JSON of format 4.
    """
    blocks: list[str] = []
    for cell in json.loads(notebook)["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            blocks.append(source)
        else:
            blocks += [_fenced(source, "python"), *_outputs(cell)]
    return "\n\n".join(blocks) + "\n"


def _outputs(cell: dict[str, Any]) -> Iterator[str]:
    """Yield what a cell gave: a picture or a table where there is one, otherwise text."""
    for output in cell["outputs"]:
        data = output.get("data", {})
        if "image/png" in data:
            content = "".join(data["image/png"].split())
            yield f"![The figure that the cell draws](data:image/png;base64,{content})"
        elif "text/html" in data:
            # Only tables without a class look like those of the other pages.
            yield "".join(data["text/html"]).replace(' border="1" class="dataframe"', "")
        else:
            yield _fenced("".join(output.get("text") or data["text/plain"]), "text")


def _fenced(text: str, language: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```"
