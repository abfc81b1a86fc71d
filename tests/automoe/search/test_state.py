from pathlib import Path

import pytest

from automoe.architecture.space import SearchSpace
from automoe.search.state import RoundKind, SearchState, begun_with


def test_the_settings_that_a_search_chose_are_in_its_first_line(
    space: SearchSpace, tmp_path: Path
) -> None:
    state = SearchState(
        tmp_path / "s.jsonl", "this search", chosen={"generations": 11, "prescreen": 7}
    )
    assert begun_with(state.path) is None
    state.append({space.smallest(): 1.0})
    assert begun_with(state.path) == {"generations": 11, "prescreen": 7}
    assert state.load() == [{space.smallest(): 1.0}]
    assert state.begun() is RoundKind.FIRST


def test_a_state_without_them_is_of_a_release_that_chose_those_of_the_paper(
    tmp_path: Path,
) -> None:
    SearchState(tmp_path / "s.jsonl", "this search").begin(RoundKind.FIRST)
    assert begun_with(tmp_path / "s.jsonl") == {"generations": 30, "prescreen": 1}


@pytest.mark.parametrize("text", ["", "{", "[]\n", '{"generations": "many"}\n', "\xff\n"])
def test_a_damaged_state_says_nothing_about_them(text: str, tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(text.encode("latin-1"))
    assert begun_with(path) is None
