"""What a column can mean in a recognised table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Role:
    """One meaning.

    Attributes:
        name: Of the role.
        names: Of columns that have it, in words joined by underscores; the first one there wins.
        is_optional: Whether a table may lack it.
        is_text: Whether its cells are text rather than quantities.
    """

    name: str
    names: tuple[str, ...]
    is_optional: bool = False
    is_text: bool = False
