"""Shares as options: ``3%`` or ``0.03``."""


def parse_share(text: str, option: str) -> float:
    """The share between 0 and 1 that a text means.

    Raises:
        ValueError: It is none.
    """
    number, percent = text.strip().removesuffix("%"), text.strip().endswith("%")
    try:
        share = float(number) / (100 if percent else 1)
    except ValueError:
        share = float("nan")
    if not 0 < share < 1:
        raise ValueError(f"'{option}' must be a share such as 3% or 0.03. Got '{text}'.")
    return share
