"""Refuse options that need or exclude each other, by tables."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_WITHOUT = "'{option}' is about '{other}': give both. Got '{option} {value}' alone."
_BESIDE = "{options} cannot be combined with '{other}'. Leave out one."


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A row of such a table.

    Attributes:
        options: The flags that are refused.
        without: The flags that they need: they are refused when none of these is given.
        beside: The flags that they exclude: they are refused when one of these is given.
        message: The message for the user; by default one that fits the rule. It may contain
            ``{options}``, all refused flags; ``{option}`` and ``{value}``, the first of them; and
            ``{other}``, the flag that they need or exclude.
    """

    options: tuple[str, ...]
    without: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    message: str = ""

    def of(self, given: Mapping[str, object]) -> str | None:
        """Return the message for the options of a command line; None when they are allowed."""
        refused = [flag for flag in self.options if flag in given]
        others = [flag for flag in self.beside if flag in given]
        is_alone = bool(self.without) and not any(flag in given for flag in self.without)
        if not refused or not (others or is_alone):
            return None
        message = self.message or (_BESIDE if others else _WITHOUT)
        return message.format(
            options=", ".join(map(repr, refused)),
            option=refused[0],
            value=given[refused[0]],
            other=(others or self.without)[0],
        )


def refuse(table: Iterable[Refusal], given: Mapping[str, object]) -> None:
    """Refuse options by the first row of a table that applies.

    Args:
        table: The rows.
        given: The options of the command line, by flag, with their values.

    Raises:
        ValueError: A row applies. The message is the row's.
    """
    for row in table:
        if (message := row.of(given)) is not None:
            raise ValueError(message)
