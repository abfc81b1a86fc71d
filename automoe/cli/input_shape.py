"""Read the option ``--input-shape``."""


def parse_input_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """Return the name of an input and its shape.

    Raises:
        ValueError: The text does not read like name=1x30.
    """
    name, _, sizes = text.rpartition("=")
    parts = sizes.split("x")
    if not name or not all(part.isdigit() for part in parts):
        raise ValueError(f"'--input-shape' must read like name=1x30. Got '{text}'.")
    return name, tuple(int(part) for part in parts)
