"""Options that say something about another one."""

from collections.abc import Mapping


def require_option(option: str, value: object, given: Mapping[str, object]) -> None:
    """Refuse options about another one which is not there.

    Args:
        option: The other one, such as ``--data``.
        value: What it was given; None when it is not there.
        given: What those about it were given, by their names without dashes.

    Raises:
        ValueError: One of them was given, and the other one was not.
    """
    for name, said in given.items():
        if said is not None and value is None:
            flag = f"--{name.replace('_', '-')}"
            raise ValueError(f"'{flag}' is about '{option}': give both. Got '{flag} {said}' alone.")
