"""This module fills the templates of the pages and writes their numbers."""

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from devices.rounding import percent_down
from devices.rounding import rounded as nearest
from predictors import ModelScore

NONE = "\N{EN DASH}"


def filled(template: str, **content: Any) -> str:
    """Return a page as HTML that loads no other file.

    Args:
        template: The file name of the template, beside this module.
        content: The values that it shows. Text is escaped; ``Markup`` is not.
    """
    environment = Environment(
        loader=PackageLoader("automoe.report", package_path="."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(number=number, percent=percent, percent_down=percent_down)
    environment.globals.update(model_rows=model_rows)
    environment.filters.update(quoted=shlex.quote, tips=tips)
    return environment.get_template(template).render(**content)


def marked(figures: Mapping[str, str]) -> dict[str, Markup]:
    """Return figures as HTML that is not escaped."""
    return {name: Markup(svg) for name, svg in figures.items()}


def model_rows(models: Iterable[ModelScore]) -> list[tuple[str, ...]]:
    """Return the rows of a table of competing models, with their errors on unseen rows."""
    return [
        (
            each.name.replace("_", " "),
            *map(percent, (each.mape, each.within_5, each.within_10)),
            f"{each.spearman:.3f}",
        )
        for each in models
    ]


def tips(svg: str) -> list[Markup]:
    """Return the texts that a figure shows on hovering, for those who do not hover."""
    texts = dict.fromkeys(re.findall("<title>(.*?)</title>", svg))  # some are at two marks
    return [Markup(text) for text in texts]


def moment(written: str) -> Markup:
    """Return a time of a log, which is UTC, without its fractions and in one piece."""
    return Markup("<time>{} UTC</time>").format(written[:19].replace("T", " "))


def percent(share: float) -> str:
    """Return a share as percent, with one decimal."""
    return f"{100 * share:.1f} %"


def number(
    value: float | None, unit: str = "", *, rounded: Callable[[float], str] | None = None
) -> str:
    """Return a number with four digits and separated thousands, or a dash for None.

    Args:
        value: The number.
        unit: Its unit.
        rounded: The function that rounds it when it is a limit; None for the nearest number.
    """
    if value is None:
        return NONE
    if rounded is not None:
        value = float(rounded(value))
    text = f"{value:,.0f}" if abs(value) >= 1e4 else nearest(value)
    return f"{text} {unit}".strip()
