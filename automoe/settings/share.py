"""Read shares in options: ``3%`` or ``0.03``."""

from math import inf, isnan, nan
from typing import Annotated

from pydantic import BeforeValidator, Field

_MOST_TYPED = 10  # times; a larger number is a percentage without its sign


def parse_share(text: str, option: str) -> float:
    """Return the share between 0 and 1 that a text means.

    Raises:
        ValueError: The text is not such a share.
    """
    share = share_of(text)
    if not 0 < share < 1:  # nan too
        raise ValueError(f"'{option}' must be a share such as 3% or 0.03. Got '{text}'.")
    return share


def share_of(text: str) -> float:
    """Return the number that a text such as ``5%`` or ``0.05`` means; NaN for any other text."""
    text = text.strip()
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        return nan


def _number(value: object) -> object:
    """Return the number of a share as it is typed; any other value as it is."""
    if not isinstance(value, str):
        return value
    share = share_of(value)
    if isnan(share):
        raise ValueError("must be a share such as 0.95 or 95%")
    return share


def _typed_up_to(most: float, *, percent: float = 100) -> BeforeValidator:
    """Return `_number` as a validator that also refuses a percentage that lacks its sign.

    It takes a number above ``most`` and up to ``percent`` for one.
    """

    def read(value: object) -> object:
        share = _number(value)
        if isinstance(value, str) and isinstance(share, float) and most < share <= percent:
            raise ValueError(f"must be a share: write {share / 100:g} or {share:g}%")
        return share

    return BeforeValidator(read)


Multiple = Annotated[
    float, _typed_up_to(_MOST_TYPED, percent=inf), Field(gt=0, allow_inf_nan=False)
]
Share = Annotated[float, _typed_up_to(1), Field(ge=0, le=1)]
Confidence = Annotated[float, _typed_up_to(1), Field(gt=0, lt=1)]
