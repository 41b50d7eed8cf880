"""The owners' downloads, as they are: files in folders and in zip files, found by name."""

from __future__ import annotations

import os
import shutil
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from tasks.base import DataError

_BROKEN = (zipfile.BadZipFile, EOFError, zlib.error, RuntimeError)
"""What zipfile says of damaged content; a RuntimeError of a member that is encrypted or packed in another way."""


@dataclass(frozen=True)
class Entry:
    """A file below the folder of the downloads."""

    place: str  # its path, through the zip file where it is in one
    size: int  # bytes
    path: Path | None  # where it lies; None in a zip file
    archive: zipfile.ZipFile | None = None
    member: str = ""

    def read(self) -> bytes:
        """Return the content.

        Raises:
            DataError: it cannot be read, or is not whole.
        """
        try:
            return self.path.read_bytes() if self.path else self._archive.read(self.member)
        except (OSError, *_BROKEN) as error:
            raise self._broken(error) from error

    def put(self, target: Path) -> None:
        """Write the content into a new file; a file that lies on the same disk is linked, which takes no space.

        Raises:
            DataError: it cannot be read, or is not whole.
            OSError: the target cannot be written.
        """
        if self.path is None:
            try:
                inner = self._archive.open(self.member)
            except (OSError, *_BROKEN) as error:
                raise self._broken(error) from error
            with inner, target.open("wb") as out:
                try:
                    shutil.copyfileobj(inner, out)
                except _BROKEN as error:
                    raise self._broken(error) from error
            return
        try:
            os.link(self.path, target)
        except OSError:  # another disk, or one without links
            shutil.copyfile(self.path, target)

    @property
    def _archive(self) -> zipfile.ZipFile:
        assert self.archive is not None  # it has no path
        return self.archive

    def _broken(self, error: Exception) -> DataError:
        return DataError(f"{self.place}: cannot be read whole ({error}); fetch it again")


@dataclass(frozen=True)
class Step:
    """One file to be written below the data folder."""

    target: str  # from the data folder on
    write: Callable[[Path], None]  # called with the path of a new file


class Source:
    """All files below a folder and in its zip files; listed when first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def _entries(self) -> dict[str, list[Entry]]:
        """Name of a file -> where it is found."""
        found: defaultdict[str, list[Entry]] = defaultdict(list)
        for place, below, names in os.walk(self.folder, followlinks=True):
            below.sort()
            for name in sorted(names):
                path = Path(place, name)
                if path.suffix.lower() == ".zip":
                    self._list(path, found)
                elif path.is_file():
                    found[name].append(Entry(str(path), path.stat().st_size, path))
        return found

    def _list(self, path: Path, found: defaultdict[str, list[Entry]]) -> None:
        try:
            archive = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
            raise DataError(f"{path}: is not a whole zip file ({error}); fetch it again") from error
        for member in archive.infolist():
            name = PurePosixPath(member.filename).name
            if not member.is_dir():
                found[name].append(Entry(f"{path}/{member.filename}", member.file_size, None, archive, member.filename))

    def find(self, name: str) -> Entry | None:
        """Return the file of that name; folders before the name (``nlvr2/train.json``) choose among several.

        Raises:
            DataError: there are several of different sizes, or a zip file is broken.
        """
        *folders, last = PurePosixPath(name).parts
        found = self._entries.get(last, [])
        for folder in reversed(folders):
            found = [entry for entry in found if folder in PurePosixPath(entry.place).parts] or found
        if len({entry.size for entry in found}) > 1:
            raise DataError(
                f"{self.folder}: {found[0].place} and {found[1].place} are both called {last} and differ in size; "
                "give --from the folder that holds only the right one"
            )
        return found[0] if found else None

    def content(self, name: str) -> bytes:
        """Return the content of the file of that name.

        Raises:
            DataError: it is not there, or cannot be read.
        """
        if (entry := self.find(name)) is None:
            raise DataError(f"{self.folder}: no file {name}, nor in a zip file; unpack other archives there")
        return entry.read()

    def step(self, target: str, name: str) -> Step | None:
        """The step that puts the file of that name at a place below the data folder; None where it is not there."""
        entry = self.find(name)
        return Step(target, entry.put) if entry else None
