"""This module turns a failed validation into one line for the user."""

from pydantic import ValidationError


def explain(error: ValidationError) -> str:
    """Return the first problem as one line: the field, what was expected and the value."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown key '{where}'. Remove it or correct its spelling."
    if first["type"] == "missing":
        return f"the key '{where}' is missing. Add it."
    message = first["msg"].removeprefix("Value error, ")
    if not where:
        return f"{message}."
    return f"'{where}': {message}. Got {first['input']!r:.80}."
