"""This module lets results of all packages show themselves, in a terminal and in a notebook.

Each package imports only what stands below it, so this module is in the lowest one.
"""

from collections.abc import Mapping
from html import escape

from devices.rounding import rounded


class Shown:
    """A result that is shown as a few lines in a terminal and as a table in a notebook.

    A data class that inherits from it is declared with ``repr=False``.
    """

    __slots__: tuple[str, ...] = ()

    def shown(self) -> dict[str, object]:
        """Return what a reader wants to know, by its name in words; by default all fields."""
        return {name.replace("_", " "): getattr(self, name) for name in self.__slots__}

    def __repr__(self) -> str:
        content = _texts(self.shown())
        width = max(map(len, content), default=0)
        lines = [f"  {name:<{width}}  {text}" for name, text in content.items()]
        return "\n".join([type(self).__name__, *lines])

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left">{escape(name)}</th>'
            f'<td style="text-align:left">{escape(text)}</td></tr>'
            for name, text in _texts(self.shown()).items()
        )
        return f"<table><caption>{type(self).__name__}</caption><tbody>{rows}</tbody></table>"


def _texts(content: dict[str, object]) -> dict[str, str]:
    """Return values as texts. What is not known or empty is left out."""
    return {
        name: in_words(value) for name, value in content.items() if value not in (None, "", (), {})
    }


def in_words(value: object) -> str:
    """Return a value for people: four digits of a number, and the items of a list or table."""
    if isinstance(value, float):
        return rounded(value) if abs(value) < 1e4 else f"{value:.0f}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {in_words(item)}" for name, item in value.items()) or "none"
    if isinstance(value, list):  # such as the choices of a space
        return f"[{', '.join(map(in_words, value))}]"
    if isinstance(value, tuple):
        items = [in_words(item) for item in value]
        return ("; " if any(", " in item for item in items) else ", ").join(items) or "none"
    return "unknown" if value is None else str(value)
