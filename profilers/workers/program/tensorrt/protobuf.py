"""This module reads the fields of protobuf messages by their numbers, with raw values.

See https://protobuf.dev/programming-guides/encoding. A device has no package that does it.
"""

from __future__ import annotations

from typing import Iterator, Tuple

VARINT, FIXED_64, DELIMITED, FIXED_32 = 0, 1, 2, 5


def varint(message: memoryview, start: int) -> Tuple[int, int]:
    """Return the number that starts at a place, and the place behind it.

    Each byte holds seven bits, the lowest first.

    Raises:
        IndexError: The message ends within the number.
    """
    value, shift = 0, 0
    while True:
        byte = message[start]
        start += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, start
        shift += 7


def parts(message: memoryview) -> Iterator[Tuple[int, memoryview]]:
    """Yield the number and the content of each field that has a length: texts, bytes and messages.

    Raises:
        ValueError: The bytes are not a protobuf message.
    """
    place, end = 0, len(message)
    try:
        while place < end:
            tag, place = varint(message, place)
            kind = tag & 7
            if kind == DELIMITED:
                length, place = varint(message, place)
                if place + length > end:
                    raise ValueError("it ends within field %d" % (tag >> 3))
                yield tag >> 3, message[place : place + length]
                place += length
            elif kind == VARINT:
                _, place = varint(message, place)
            elif kind in (FIXED_64, FIXED_32):
                place += 8 if kind == FIXED_64 else 4
            else:
                raise ValueError("field %d has the unknown type %d" % (tag >> 3, kind))
    except IndexError:
        raise ValueError("it ends within a number") from None
