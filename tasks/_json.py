"""Reading JSON files of any size record by record, with checks; an error names file, line and record.

The owners' files hold up to a million records in one value on one line, so they are decoded piece by piece.
"""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Callable, Iterator, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any, NoReturn, TextIO

from tasks._files import BROKEN, open_text, unreadable
from tasks.base import DataError

Fields = Mapping[str, type]
"""Two or more names of a record's fields, with the type of each; further fields are ignored."""

_TYPES: Mapping[type, str] = {int: "integer", str: "text", bool: "true or false", list: "list", dict: "object"}
_BLOCK = 1 << 20  # characters read at once
_LONGEST = 1 << 20  # characters of the longest text in a file
_SPACE = re.compile(r"[ \t\r\n]*")


def in_list(path: Path, name: str, fields: Fields) -> Iterator[tuple[Any, ...]]:
    """Yield these fields of each record of the list ``name`` in the file's one object.

    Raises:
        DataError: the file cannot be read, is not whole JSON, has no such list, or a record lacks a field.
    """
    check = _check(path, fields)
    with open_text(path) as file:
        text, found = _Text(path, file), False
        for member in text.members():
            if member == name and text.peek() == "[":
                found = True
                for number, record in enumerate(text.items(), 1):
                    yield check(record, f"record {number} of {name}", text)
            else:
                text.value()
        text.end()
        if not found:
            raise DataError(f"{path}: has no list {name!r}; is this the right file?")


def in_object(path: Path, fields: Fields) -> Iterator[tuple[Any, ...]]:
    """Yield the name and these fields of each record of the file's one object of records; raises as `in_list`."""
    check = _check(path, fields)
    with open_text(path) as file:
        text = _Text(path, file)
        for name in text.members():
            yield name, *check(text.value(), f"record {name!r}", text)
        text.end()


def in_lines(path: Path, fields: Fields) -> Iterator[tuple[Any, ...]]:
    """Yield these fields of the record on each line that is not empty; raises as `in_list`."""
    check = _check(path, fields)
    with open_text(path) as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                text = _Text(path, None, line, number)
                yield check(text.value(), "the record", text)
                text.end()


def values_of(path: Path, name: str) -> set[str]:
    """Return all texts without escapes that any field ``name`` holds: a quick scan of the bytes, nothing is checked.

    Raises:
        DataError: the file cannot be read.
    """
    pattern = re.compile(rb'"%s"\s*:\s*"([^"\\]+)"' % re.escape(name.encode()))
    try:
        with path.open("rb") as file:
            if not path.stat().st_size:
                return set()
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return {value.decode("utf-8", "replace") for value in set(pattern.findall(content))}
    except OSError as error:
        raise unreadable(path, error) from error


def _check(path: Path, fields: Fields) -> Callable[[Any, str, _Text], tuple[Any, ...]]:
    """Return what takes the fields out of a record and refuses a record that is not as expected."""
    take, types = itemgetter(*fields), tuple(fields.values())
    wanted = ", ".join(f"{name} ({_TYPES[kind]})" for name, kind in fields.items())

    def check(record: Any, what: str, text: _Text) -> tuple[Any, ...]:
        try:
            values: tuple[Any, ...] = take(record)
            if tuple(map(type, values)) == types:
                return values
        except (KeyError, TypeError):  # a field is absent, or the record is no object
            pass
        given = record if isinstance(record, dict) else {}
        wrong = [name for name, kind in fields.items() if type(given.get(name)) is not kind]
        raise DataError(
            f"{path}: {text.line()}: {what}: {', '.join(wrong)} is absent or of another type; expected {wanted}"
        )

    return check


class _Text:
    """JSON text that is read piece by piece; what was decoded is forgotten."""

    def __init__(self, path: Path, file: TextIO | None, text: str = "", line: int = 1) -> None:
        self._path = path
        self._file = file  # where the text goes on
        self._text = text
        self._at = 0
        self._line = line  # of the start of the text
        self._column = 1
        self._decode = json.JSONDecoder().raw_decode

    def members(self) -> Iterator[str]:
        """Yield the names of an object; the caller reads each one's value before it asks for the next."""
        self._take("{")
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            if self.peek() != '"':
                self._fail("expected a name in double quotes")
            name = self.value()
            self._take(":")
            yield name
            if self._take(",}") == "}":
                return

    def items(self) -> Iterator[Any]:
        """Yield the values of a list."""
        self._take("[")
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            yield self.value()
            if self._take(",]") == "]":
                return

    def value(self) -> Any:
        """Decode one value."""
        self.peek()
        while True:
            try:
                found, end = self._decode(self._text, self._at)
            except json.JSONDecodeError as error:
                # Within a text's length of the end, the value may only be cut off.
                if len(self._text) - error.pos > _LONGEST or not self._more():
                    self._fail(error.msg, error.pos)
            except (ValueError, RecursionError) as error:  # a number of thousands of digits, a thousand brackets
                self._fail(str(error))
            else:
                if end < len(self._text) or not self._more():
                    break
        self._at = end
        return found

    def end(self) -> None:
        """Refuse anything but space up to the end."""
        if self.peek():
            self._fail("expected the end")

    def peek(self) -> str:
        """Skip space and return the next character without taking it; empty at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]  # it always matches
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def line(self, at: int | None = None) -> str:
        """Say where a place in the text is, by default the one reached."""
        at = self._at if at is None else at
        newlines = self._text.count("\n", 0, at)
        column = at - self._text.rfind("\n", 0, at) if newlines else self._column + at
        return f"line {self._line + newlines}, column {column}"

    def _take(self, allowed: str) -> str:
        found = self.peek()
        if not found or found not in allowed:
            self._fail(f"expected {' or '.join(map(repr, allowed))}")
        self._at += 1
        return found

    def _more(self) -> bool:
        """Forget what was decoded and read on; False at the end of the file."""
        more = self._file.read(_BLOCK) if self._file else ""
        if more:
            newlines = self._text.count("\n", 0, self._at)
            last = self._text.rfind("\n", 0, self._at)
            self._column = self._at - last if newlines else self._column + self._at
            self._line += newlines
            self._text = self._text[self._at :] + more
            self._at = 0
        return bool(more)

    def _fail(self, reason: str, at: int | None = None) -> NoReturn:
        raise DataError(f"{self._path}: {self.line(at)}: {' '.join(reason.split())}; {BROKEN}")
