import json
import os
from pathlib import Path

import pytest
from filelock import FileLock

from devices.files import append_line, held, read_lines, replacing, write_json


def test_a_file_is_replaced_and_its_folder_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.bin"
    for content in (b"first", b"second"):
        with replacing(path) as complete:
            complete.write_bytes(content)
            assert not path.exists() or path.read_bytes() == b"first"
    assert path.read_bytes() == b"second"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_what_fails_leaves_the_old_file_and_nothing_else(
    error: BaseException, tmp_path: Path
) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")

    def write_half() -> None:
        with replacing(path) as complete:
            complete.write_bytes(b"half of the ne")
            raise error

    with pytest.raises(type(error)):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_do_not_write_into_one_file(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    with replacing(path) as first:
        first.write_bytes(b"fi")
        with replacing(path) as second:
            second.write_bytes(b"second")
        assert path.read_bytes() == b"second"
        first.write_bytes(b"first")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_replaced_file_may_be_read_by_those_who_may_read_any_new_one(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_json(tmp_path / "file.json", {})
    assert (tmp_path / "file.json").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_json_comes_back(tmp_path: Path) -> None:
    path, content = tmp_path / "new" / "file.json", {"a": [1, 0.1, None, "ü"], "b": {"c": True}}
    write_json(path, content)
    assert json.loads(path.read_text(encoding="utf-8")) == content
    assert path.read_text(encoding="utf-8").startswith('{\n  "a": [\n    1,')
    write_json(path, content, indent=None)
    assert json.loads(path.read_text(encoding="utf-8")) == content
    assert path.read_bytes().count(b"\n") == 1


@pytest.mark.parametrize("content", [{"loss": float("nan")}, {"what": {1, 2}}])
def test_what_json_cannot_say_leaves_the_old_file(content: object, tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_json(path, {"loss": 1.0})
    with pytest.raises((TypeError, ValueError), match="not JSON (compliant|serializable)"):
        write_json(path, content)
    assert json.loads(path.read_text()) == {"loss": 1.0}
    assert list(tmp_path.iterdir()) == [path]


def test_a_number_that_is_not_finite_is_written_where_that_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_json(path, [float("inf")], allow_nan=True)
    assert json.loads(path.read_text()) == [float("inf")]


def test_lines_come_back_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lines.jsonl"
    assert read_lines(path) == []
    for content in ({"a": 1.5}, [None, "ü"], 3):
        append_line(path, content)
    assert read_lines(path) == [{"a": 1.5}, [None, "ü"], 3]
    assert path.read_bytes().count(b"\n") == 3


@pytest.mark.parametrize("cut", range(1, 9))
def test_a_line_cut_short_costs_no_other(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    append_line(path, [1])
    append_line(path, {"a": 1})
    path.write_bytes(path.read_bytes()[:-cut])
    append_line(path, [2])
    whole = [{"a": 1}] if cut == 1 else []  # only the line end is missing
    assert read_lines(path) == [[1], *whole, [2]]


def test_what_is_no_number_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        append_line(tmp_path / "lines.jsonl", float("nan"))


def test_what_another_process_holds_is_refused_and_what_it_let_go_is_not(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with (
        FileLock(lock),
        pytest.raises(LookupError, match="taken"),
        held(lock, LookupError("taken")),
    ):
        pass
    with held(lock, LookupError("taken")), pytest.raises(LookupError, match="taken"):  # noqa: SIM117
        with held(lock, LookupError("taken")):
            pass
    with held(lock, LookupError("taken")):
        pass


def test_a_singleton_may_be_held_again_by_its_own_process(tmp_path: Path) -> None:
    lock, refusal = tmp_path / "lock", LookupError("taken")
    with held(lock, refusal, is_singleton=True):
        with held(lock, refusal, is_singleton=True):
            pass
        with pytest.raises(LookupError, match="taken"), held(lock, refusal):  # held still
            pass


def test_an_error_names_the_file_and_not_the_place_it_was_written_in(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError) as caught:
        write_json(tmp_path, {})
    assert caught.value.filename == str(tmp_path)


def test_what_a_killed_process_left_is_removed_once_it_is_old(tmp_path: Path) -> None:
    path = tmp_path / "[a]*.json"
    old, fresh, others = (tmp_path / f".{name}" for name in ("[a]*.json-1", "[a]*.json-2", "b-1"))
    for folder in (old, fresh, others):
        folder.mkdir()
        (folder / path.name).write_text("half of it")
    for folder in (old, others):
        os.utime(folder, (0, 0))
    write_json(path, {})
    assert sorted(tmp_path.iterdir()) == sorted([path, fresh, others])
