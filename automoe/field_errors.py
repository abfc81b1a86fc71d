"""This module checks the content of a file, and turns a failed validation into one line."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)

# What a file has instead of a type of Python.
_IN_WORDS_OF_FILES = {
    "tuple_type": "Input should be a list, such as [a, b]",
    "list_type": "Input should be a list, such as [a, b]",
    "model_type": "Input should be a section of 'key: value' lines",
    "dict_type": "Input should be a section of 'key: value' lines",
    "bool_type": "Input should be true or false",
    "bool_parsing": "Input should be true or false",
    "string_type": "Input should be text",
    "path_type": "Input should be the path of a file or folder",
    "none_required": "Input should be left out",
}


class FieldError(ValueError):
    """The content of a file is not valid. The message names the first field that is wrong."""


class NumberError(FieldError):
    """A file has a truth value or a text where a number is asked for."""


def validated(model: type[M], content: Mapping[str, Any]) -> M:
    """Return the content of a file as a model, after `require_numbers`.

    Raises:
        FieldError: A field is unknown, missing, out of range or of another type.
    """
    require_numbers(model, content)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise FieldError(explain(error, model)) from None


def require_numbers(
    model: type[BaseModel], content: Mapping[str, Any], *, within: str = ""
) -> None:
    """Check that a file has numbers where numbers are asked for.

    A model itself would take `true` for 1, and `"10"` for 10, as the command line needs it.

    Args:
        model: The model of the content.
        content: The content of the file, or a section of it.
        within: The name of that section, with a point behind it.

    Raises:
        NumberError: A field has a truth value or a text. The message names it.
    """
    for name, field in model.model_fields.items():
        value, kinds = content.get(name), tuple(_kinds(field.annotation))
        if isinstance(value, Mapping):
            for kind in kinds:
                if issubclass(kind, BaseModel):
                    require_numbers(kind, value, within=f"{within}{name}.")
        is_number = (int in kinds or float in kinds) and type(value) not in kinds
        if is_number and isinstance(value, bool | str):
            wanted = "number" if float in kinds else "integer"
            raise NumberError(
                f"'{within}{name}': Input should be a valid {wanted}. Got {value!r:.80}."
            )


def _kinds(annotation: Any) -> Iterator[type]:
    """Yield the types that an annotation allows."""
    if isinstance(annotation, type):
        yield annotation
    if get_origin(annotation) is tuple:  # a list of numbers is no number
        return
    for argument in get_args(annotation):
        yield from _kinds(argument)


def _similar_key(model: type[BaseModel], place: tuple[int | str, ...]) -> str | None:
    """Return the key of a section that is spelled most like an unknown one; None without any."""
    *sections, key = map(str, place)
    for section in sections:
        field = model.model_fields.get(section)
        kinds = () if field is None else tuple(_kinds(field.annotation))
        models = [kind for kind in kinds if issubclass(kind, BaseModel)]
        if not models:
            return None
        model = models[0]
    return next(iter(get_close_matches(key, model.model_fields, n=1)), None)


def explain(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """Return one problem as one line: the field, what was expected and the value.

    It is the first one, but an unknown key comes before all others: a missing key is often the
    same one, mistyped.

    Args:
        error: The failed validation.
        model: The model of the content, from which a similar key is suggested.
    """
    problems = error.errors(include_url=False)
    unknown = (each for each in problems if each["type"] == "extra_forbidden")
    first = next(unknown, problems[0])
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        similar = _similar_key(model, first["loc"]) if model else None
        advice = f"Did you mean '{similar}'?" if similar else "Remove it or correct its spelling."
        return f"unknown key '{where}'. {advice}"
    if first["type"] == "missing":
        return f"the key '{where}' is missing. Add it."
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] in _IN_WORDS_OF_FILES:
        message = _IN_WORDS_OF_FILES[first["type"]]
    if not where:
        return f"{message}."
    return f"'{where}': {message}. Got {first['input']!r:.80}."
