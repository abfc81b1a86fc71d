import socket
import sys
import time

import pytest

from devices.remote.agent.child import Child
from devices.remote.agent.wire import Gone, Lines, TooLong, Wire


def test_lines_are_found_in_whatever_pieces_they_arrive() -> None:
    lines = Lines()
    for piece in (b"a", b"b\nc", b"\n", b"\nd"):
        lines.add(piece)
    assert [lines.take() for _ in range(4)] == [b"ab", b"c", b"", None]
    lines.add(b"\nraw")
    assert lines.take() == b"d"
    assert (lines.take_raw(4), lines.take_raw(3)) == (None, b"raw")


def test_a_line_may_have_a_number_of_bytes_and_no_more() -> None:
    lines = Lines()
    lines.add(b"1234\n12345")
    assert lines.take(4) == b"1234"
    with pytest.raises(TooLong):
        lines.take(4)


def test_a_wire_with_a_line_without_end_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = socket.socketpair()
    there.sendall(b"x" * 100)
    monkeypatch.setattr(Lines.take, "__defaults__", (50,))
    with pytest.raises(Gone):
        Wire(here).line()
    with pytest.raises(Gone):
        Wire(here).raw(-1)
    for each in (here, there):
        each.close()


@pytest.mark.parametrize("program", ["while 1: print('x', end='')", "while 1: pass"])
def test_the_deadline_of_a_line_also_holds_while_data_flows(program: str) -> None:
    child = Child([sys.executable, "-c", program])
    before = time.monotonic()
    with pytest.raises((TimeoutError, TooLong)):
        child.read_line(0.5)
    assert time.monotonic() - before < 5
    child.end()


def test_a_child_that_reads_nothing_is_given_up() -> None:
    child = Child([sys.executable, "-c", "import time; time.sleep(60)"])
    with pytest.raises(OSError, match="it takes no more data"):
        child.write(b"x" * 1_000_000, stalled_s=0.2)
    child.end()
