"""Files of known names somewhere below folders, where any of them may be absent: photos, features of clips."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from tasks.base import DataError, Part

Found = tuple[Path, int]
"""Where a file lies, and its size in bytes."""


def files_below(folders: Iterable[Path], wanted: set[str] | None = None) -> dict[str, Found]:
    """Return the wanted files, or all, by name, that lie in these folders or in folders below them."""
    found: dict[str, Found] = {}
    for top in folders:
        for place, below, names in os.walk(top, followlinks=True):
            below.sort()
            for name in names if wanted is None else wanted.intersection(names):
                path = Path(place, name)
                try:
                    found.setdefault(name, (path, path.stat().st_size))
                except OSError:  # a link to nowhere
                    continue
    return found


def digest_of(files: Iterable[tuple[str, Found]]) -> str:
    """Return a digest of names and sizes: a hundred thousand files are too many to read before every run."""
    total = hashlib.sha256()
    for name, (path, size) in files:
        total.update(f"{name} {path.name} {size}\n".encode())
    return total.hexdigest()[:16]


class Scattered:
    """The files that annotations name, and which of them are there; each question is answered once."""

    def __init__(self, folders: Sequence[Path], names: Callable[[], set[str]], what: str, origin: str) -> None:
        """``names`` scans the annotations; ``what`` the files are, and where they can be had, in a few words."""
        self.folders = folders
        self._names = names
        self._what = what
        self._origin = origin

    @cached_property
    def wanted(self) -> set[str]:
        """The names of all files.

        Raises:
            DataError: an annotation file cannot be read.
        """
        return self._names()

    @cached_property
    def found(self) -> Mapping[str, Found]:
        """Where the files lie that are there."""
        return files_below(self.folders, self.wanted)

    def fingerprint(self) -> str:
        """Digest of the names and sizes of all files."""
        return digest_of(sorted(self.found.items()))

    def missing(self) -> str | None:
        """Return None if all files are there, else one sentence: how many are not, and where they can be had."""
        absent = sorted(self.wanted - self.found.keys())
        if not absent:
            return None
        places = " and ".join(map(str, self.folders))
        return (
            f"{len(absent):,} of {len(self.wanted):,} {self._what} are not in {places} "
            f"(first: {absent[0]}): {self._origin}"
        )

    def part(self, name: str) -> Part:
        """All files as one part of this name; where the annotations are not there, any files in the folders."""
        wanted: int | None = None
        try:
            found, wanted = self.found, len(self.wanted)
        except DataError:
            found = files_below(self.folders)
        return Part(name, len(found), wanted, sum(size for _, size in found.values()))
