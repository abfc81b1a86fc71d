"""This module describes the meaning that a column can have in a recognised table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Role:
    """The meaning of a column.

    Attributes:
        name: The name of the role.
        names: The column names that have this role, in words joined by underscores. The first
            name that the table has wins.
        is_optional: Whether a table may lack this role.
        is_text: Whether the cells are text and not quantities.
        may_be_zero: Whether a quantity may be 0.
    """

    name: str
    names: tuple[str, ...]
    is_optional: bool = False
    is_text: bool = False
    may_be_zero: bool = False
