"""This module lets results of all packages show themselves, in a terminal and in a notebook.

Each package imports only what stands below it, so this module is in the lowest one.
"""

from html import escape


class Shown:
    """A result that is shown as a few lines in a terminal and as a table in a notebook.

    A data class that inherits from it is declared with ``repr=False``.
    """

    __slots__ = ()

    def shown(self) -> dict[str, object]:
        """Return what a reader wants to know, by its name in words."""
        raise NotImplementedError

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
        name: _text(value) for name, value in content.items() if value not in (None, "", (), {})
    }


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_text(each)}" for name, each in value.items())
    if isinstance(value, tuple | list):
        items = [_text(item) for item in value]
        return ("; " if any(", " in item for item in items) else ", ").join(items)
    return str(value)
