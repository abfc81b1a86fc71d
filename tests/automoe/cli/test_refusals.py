import re

import pytest

from automoe.cli.refusals import Refusal, refuse

TABLE = (
    Refusal(options=("--host", "--lock-clocks"), without=("--device",)),
    Refusal(options=("-n", "--beam"), beside=("--model",)),
    Refusal(
        options=("--minutes",), without=("--until",), message="'{option}' limits '{other}': {value}"
    ),
)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"--host": "pi"}, "'--host' is about '--device': give both. Got '--host pi' alone."),
        (
            {"--model": "m", "--beam": 2, "-n": 3},
            "'-n', '--beam' cannot be combined with '--model'. Leave out one.",
        ),
        ({"--minutes": 3}, "'--minutes' limits '--until': 3"),
    ],
)
def test_the_first_row_that_applies_is_the_message(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        refuse(TABLE, given)


@pytest.mark.parametrize(
    "given", [{}, {"--device": "cpu", "--host": "pi"}, {"-n": 3}, {"--model": "m"}]
)
def test_other_options_are_allowed(given: dict[str, object]) -> None:
    refuse(TABLE, given)
