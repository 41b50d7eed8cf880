"""Reading JSON, lines of JSON and rows of text, with errors that name file, place and what was expected."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from tasks.base import DataError

T = TypeVar("T")

Id = int | str
"""Owners write ids as numbers; some tools write them as text."""


class Record(BaseModel):
    """What is read of an owner's record; it has more fields than that, and some write numbers for text."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)


def read_json(path: Path, kind: type[T], expected: str) -> T:
    """Read a file that is one JSON document.

    Raises:
        DataError: it cannot be read, is not whole, has a key twice or is not of this kind; ``expected`` is said then.
    """
    return _checked(_parsed(_text(path, expected), path, 1, expected), TypeAdapter(kind), f"{path}", expected)


def read_json_lines(path: Path, kind: type[T], expected: str) -> list[T]:
    """Read a file with one JSON document a line; errors as in `read_json`."""
    adapter = TypeAdapter(kind)
    return [
        _checked(_parsed(line, path, number, expected), adapter, f"{path}:{number}", expected)
        for number, line in enumerate(_text(path, expected).split("\n"), start=1)
        if line.strip()
    ]


def read_rows(path: Path, separator: str, expected: str) -> list[list[str]]:
    """Read a file with one row of fields a line, without quoting; empty lines are left out.

    Raises:
        DataError: it cannot be read, or a line has less than two fields.
    """
    rows = []
    for number, line in enumerate(_text(path, expected).split("\n"), start=1):
        fields = [field.strip() for field in line.split(separator)]
        if line.strip() and len(fields) < 2:
            raise DataError(f"{path}:{number}: has one field ({line.strip()[:40]!r}); expected {expected}")
        if line.strip():
            rows.append(fields)
    return rows


def _text(path: Path, expected: str) -> str:
    try:
        return path.read_text("utf-8-sig")  # GLUE's MRPC begins with a byte-order mark
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); expected {expected}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text (byte {error.start}); expected {expected}") from error


def _parsed(text: str, path: Path, line: int, expected: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        reason = f"is not whole JSON ({error.msg} in column {error.colno})"
        raise DataError(f"{path}:{line + error.lineno - 1}: {reason}; expected {expected}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: {error}; expected {expected}") from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"{name!r} occurs twice in one object, keep one of them")
    return found


def _checked(document: object, adapter: TypeAdapter[T], place: str, expected: str) -> T:
    try:
        return adapter.validate_python(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise DataError(f"{place}: {where}: {first['msg']}; expected {expected}") from error
