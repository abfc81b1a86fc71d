"""This module makes a text of a stranger harmless to a terminal and to a table.

The other end of a line can send anything: escape sequences that a terminal obeys, marks that turn
the direction of writing, NUL bytes. Each such character becomes U+FFFD.
"""

import re
from typing import Any

_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb]"
)


def plain_text(text: str) -> str:
    """Return a text without control characters; line ends and tabs stay."""
    return _CONTROL.sub("\ufffd", text.replace("\r\n", "\n"))


def plain_line(text: str) -> str:
    """Return a text as one line without control characters."""
    return plain_text(" ".join(text.split()))


def plain_values(value: Any) -> Any:
    """Return a JSON value whose texts have no control characters."""
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, list):
        return [plain_values(item) for item in value]
    if isinstance(value, dict):
        return {plain_text(key): plain_values(item) for key, item in value.items()}
    return value
