"""Which options must not be given with, or without, which others: tables of refusals."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_WITHOUT = "'{option}' is about '{other}': give both. Got '{option} {value}' alone."
_BESIDE = "{options} cannot be combined with '{other}'. Leave out one."


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One row of such a table.

    Attributes:
        options: Flags that are refused.
        without: They are refused where none of these flags is given; empty for no such rule.
        beside: They are refused where one of these flags is given.
        message: What the user reads. It may name ``{options}``, all that are refused; ``{option}``
            and ``{value}``, the first of them; and ``{other}``, the flag they need or exclude.
    """

    options: tuple[str, ...]
    without: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    message: str = ""

    def of(self, given: Mapping[str, object]) -> str | None:
        """Return the message for the options of a command line; None where they are allowed."""
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
    """Refuse options by the first row of a table that says so.

    Args:
        table: The rows, of which the first that applies counts.
        given: The options of the command line, by flag, with their values.

    Raises:
        ValueError: A row applies; the message is its own.
    """
    for row in table:
        if (message := row.of(given)) is not None:
            raise ValueError(message)
