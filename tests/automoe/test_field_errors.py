from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from automoe.field_errors import FieldError, NumberError, require_numbers, validated


class Inner(BaseModel):
    n: int | None = None


class Outer(BaseModel):
    share: Annotated[float, Field(ge=0)] = 0.5
    is_on: bool = False
    name: str = ""
    precision: Literal["no", "fp16"] = "no"
    either: int | str = 0
    sizes: tuple[int, ...] = ()
    inner: Inner = Inner()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"share": True}, "'share': Input should be a valid number. Got True."),
        ({"share": "0.5"}, "'share': Input should be a valid number. Got '0.5'."),
        ({"inner": {"n": False}}, "'inner.n': Input should be a valid integer. Got False."),
    ],
)
def test_a_truth_value_or_a_text_is_no_number(content: dict[str, object], message: str) -> None:
    with pytest.raises(NumberError, match=message):
        require_numbers(Outer, content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"sizes": 3}, "'sizes': Input should be a list, such as \\[a, b\\]. Got 3."),
        ({"inner": [1]}, "'inner': Input should be a section of 'key: value' lines. Got"),
        ({"is_on": "perhaps"}, "'is_on': Input should be true or false. Got 'perhaps'."),
        ({"name": 3}, "'name': Input should be text. Got 3."),
    ],
)
def test_types_are_named_as_a_file_has_them(content: dict[str, object], message: str) -> None:
    with pytest.raises(FieldError, match=message):
        validated(Outer, content)


class Strict(BaseModel, extra="forbid"):
    name: str
    n: int = 1


def test_an_unknown_key_is_told_before_the_missing_one_that_it_stands_for() -> None:
    with pytest.raises(FieldError, match=r"^unknown key 'nmae'\. Did you mean 'name'\?$"):
        validated(Strict, {"nmae": "a"})
    with pytest.raises(FieldError, match=r"^unknown key 'colour'\. Remove it or correct its"):
        validated(Strict, {"name": "a", "colour": 1})


def test_everything_else_is_left_to_the_model() -> None:
    content = {"share": 1, "is_on": "yes", "name": "10", "precision": "no", "either": "10"}
    require_numbers(Outer, {**content, "sizes": "1", "inner": None, "unknown": True})
    require_numbers(Outer, {"is_on": True, "share": None, "inner": {"n": 3}})


def test_a_text_instead_of_a_list_is_explained_in_the_words_of_a_file() -> None:
    with pytest.raises(
        FieldError, match=r"^'sizes': Input should be a list, such as .* Got 'x'\.$"
    ):
        validated(Outer, {"sizes": "x"})
