"""The glossary can be looked up, and names what exists."""

import re
from pathlib import Path

from support.commands import command_names, options_of

TEXT = (Path(__file__).parents[1] / "docs/glossary.md").read_text()
WORDS = re.findall(r"^### (.+)$", TEXT, flags=re.M)


def test_words_stand_in_alphabetical_order() -> None:
    assert len(WORDS) > 50
    assert sorted(set(WORDS), key=str.lower) == WORDS


def test_links_lead_to_words() -> None:
    linked = set(re.findall(r"\]\(#([^)]+)\)", TEXT))
    assert linked
    assert linked - {word.lower().replace(" ", "-") for word in WORDS} == set()


def test_options_exist() -> None:
    named = set(re.findall(r"`[a-z ]*(--[a-z-]+)", TEXT))
    assert len(named) > 20
    assert named - {option for name in command_names() for option in options_of(name)} == set()
