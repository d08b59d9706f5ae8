"""`tf.Example` without TensorFlow: the few messages of its protocol buffer, read by hand.

Example    { Features features = 1 }
Features   { map<string, Feature> feature = 1 }      an entry: key = 1, value = 2
Feature    { BytesList = 1 | FloatList = 2 | Int64List = 3 }   each: repeated value = 1
"""

import struct
from collections.abc import Iterator

__all__ = ["Value", "parse_example"]

Value = bytes | int | float
_VARINT, _EIGHT, _LENGTH, _FOUR = 0, 1, 2, 5  # wire types
_BYTES, _FLOATS, _INTEGERS = 1, 2, 3
_MOST_BITS = 63


def parse_example(data: bytes, wanted: frozenset[str]) -> dict[str, list[Value]]:
    """Features by name, of those that are wanted; what was written last counts.

    Raises:
        ValueError: these bytes are no `tf.Example`.
    """
    found: dict[str, list[Value]] = {}
    view = memoryview(data)
    for number, features in _fields(view):
        if number != 1:
            continue
        for inner, entry in _fields(_part(features)):
            if inner == 1:
                name, feature = _entry(_part(entry))
                if name in wanted:
                    found[name] = list(_values(feature))
    return found


def _entry(entry: memoryview) -> tuple[str, memoryview]:
    name, feature = "", memoryview(b"")
    for number, value in _fields(entry):
        if number == 1:
            name = str(_part(value), "utf-8", "replace")
        elif number == 2:
            feature = _part(value)
    return name, feature


def _values(feature: memoryview) -> Iterator[Value]:
    for kind, values in _fields(feature):
        if kind not in (_BYTES, _FLOATS, _INTEGERS):
            continue
        for number, value in _fields(_part(values)):
            if number != 1:
                continue
            if kind == _BYTES:
                yield bytes(_part(value))
            elif kind == _FLOATS:
                yield from (each for (each,) in struct.iter_unpack("<f", _part(value)))
            elif isinstance(value, int):
                yield _signed(value)
            else:  # packed
                place = 0
                while place < len(value):
                    number, place = _varint(value, place)
                    yield _signed(number)


def _fields(view: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(number, value) of each field of a message; fixed-width values as their bytes."""
    place = 0
    while place < len(view):
        tag, place = _varint(view, place)
        kind = tag & 7
        if kind == _VARINT:
            value, place = _varint(view, place)
            yield tag >> 3, value
            continue
        if kind == _LENGTH:
            length, place = _varint(view, place)
        elif kind in (_EIGHT, _FOUR):
            length = 8 if kind == _EIGHT else 4
        else:
            raise ValueError(f"no tf.Example: a field of the unknown kind {kind}")
        if length > len(view) - place:
            raise ValueError("no tf.Example: a field ends after the record")
        yield tag >> 3, view[place : place + length]
        place += length


def _part(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("no tf.Example: a number where a message or bytes belong")
    return value


def _varint(view: memoryview, place: int) -> tuple[int, int]:
    number = shift = 0
    while place < len(view) and shift <= _MOST_BITS:
        byte = view[place]
        number |= (byte & 0x7F) << shift
        place += 1
        if byte < 0x80:
            return number, place
        shift += 7
    raise ValueError("no tf.Example: a number that does not end")


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number
