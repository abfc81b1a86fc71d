from pathlib import Path

import pytest

from automoe.architecture.space import SearchSpace
from automoe.search.state import RoundKind, SearchState, begun_generations


def test_the_generations_that_a_search_chose_are_in_its_first_line(
    space: SearchSpace, tmp_path: Path
) -> None:
    state = SearchState(tmp_path / "s.jsonl", "this search", generations=11)
    assert begun_generations(state.path) is None
    state.append({space.smallest(): 1.0})
    assert begun_generations(state.path) == 11
    assert state.load() == [{space.smallest(): 1.0}]
    assert state.begun() is RoundKind.FIRST


def test_a_state_without_them_is_of_a_release_that_chose_those_of_the_paper(
    tmp_path: Path,
) -> None:
    SearchState(tmp_path / "s.jsonl", "this search").begin(RoundKind.FIRST)
    assert begun_generations(tmp_path / "s.jsonl") == 30


@pytest.mark.parametrize("text", ["", "{", "[]\n", '{"generations": "many"}\n', "\xff\n"])
def test_a_damaged_state_says_nothing_about_them(text: str, tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(text.encode("latin-1"))
    assert begun_generations(path) is None
