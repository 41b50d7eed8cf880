"""Tasks on photos that lie as plain files in folders, where any of them may be absent."""

from __future__ import annotations

import hashlib
import os
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import ClassVar

from PIL import Image

from tasks._files import decode
from tasks._folder import FolderTask
from tasks._source import Entry, Source, Step
from tasks.base import DataError, ImageSet, Part, Role

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
    """Return a digest of names and sizes: a hundred thousand photos are too many to read before every run."""
    total = hashlib.sha256()
    for name, (path, size) in files:
        total.update(f"{name} {path.name} {size}\n".encode())
    return total.hexdigest()[:16]


class PhotoFiles(ImageSet):
    """Photos in files, decoded one at a time."""

    def __init__(self, name: str, files: Mapping[str, Found]) -> None:
        """``files``: where the photo of each image id lies."""
        self.name = name
        self.fingerprint = digest_of(files.items())
        self._files = files

    def ids(self) -> Sequence[str]:
        """Image ids in the order given."""
        return tuple(self._files)

    def open(self, image_id: str) -> Image.Image:
        """Decode one photo."""
        if image_id not in self._files:
            raise DataError(f"{self.name}: no image {image_id!r}; expected one of {len(self._files)} ids")
        path, _ = self._files[image_id]
        return decode(path, str(path), image_id)


class PhotoTask(FolderTask):
    """A task whose annotation files name photos; it can run when every one of them is there.

    The task's files are named from the data folder on: tasks share photos.
    """

    folders = ("",)
    photo_folders: ClassVar[tuple[str, ...]]
    photo_origin: ClassVar[str]  # where the photos can be had, in a few words

    def contents(self) -> str:
        """The folders of all files."""
        return " and ".join(dict.fromkeys(f"{name.split('/')[0]}/" for name in (*self.required, *self.photo_folders)))

    def absent(self) -> list[str]:
        """Files and folders that are required and not there."""
        return super().absent() + [f"{name}/" for name in self.photo_folders if not (self.folder / name).is_dir()]

    def missing(self) -> str | None:
        """Name the files that are not there, or count the photos; what is there but broken, `examples` tells."""
        try:
            return super().missing() or self._missing_photos()
        except DataError:
            return None

    def _missing_photos(self) -> str | None:
        absent = sorted(self.wanted_photos - self._photos.keys())
        if not absent:
            return None
        places = " and ".join(str(self.folder / name) for name in self.photo_folders)
        return (
            f"{len(absent):,} of {len(self.wanted_photos):,} photos are not in {places} (first: {absent[0]}): "
            f"{self.photo_origin}; layout in {type(self).__module__}"
        )

    @abstractmethod
    def photo_names(self) -> set[str]:
        """Names of the files of all photos that the annotations name, by a quick scan.

        Raises:
            DataError: a file cannot be read.
        """

    @cached_property
    def wanted_photos(self) -> set[str]:
        """What `photo_names` found, scanned once."""
        return self.photo_names()

    @cached_property
    def _photos(self) -> Mapping[str, Found]:
        return files_below([self.folder / name for name in self.photo_folders], self.wanted_photos)

    def fingerprint(self) -> str:
        """Digest of the contents of all annotation files, and of names and sizes of all photos."""
        return f"{super().fingerprint()}-{digest_of(sorted(self._photos.items()))}"

    def parts(self) -> Sequence[Part]:
        """Each annotation file of its own, and all photos; where the annotations are absent, any photos."""
        if self.data is None:
            return ()
        wanted: int | None = None
        try:
            found, wanted = self._photos, len(self.wanted_photos)
        except DataError:
            found = files_below([self.folder / name for name in self.photo_folders])
        size = sum(size for _, size in found.values())
        return (*super().parts(), Part(" and ".join(self.photo_folders), len(found), wanted, size))

    def preparation(self, source: Source) -> Sequence[Step]:
        """Annotation files and, when they are there, the photos that they name."""
        steps = list(super().preparation(source))
        if super().absent():
            return steps
        for name in sorted(self.wanted_photos):
            if (entry := source.find(name)) is None:
                continue
            if name in self._photos:
                target = self._photos[name][0].relative_to(str(self.data)).as_posix()
            else:
                target = f"{self._folder_of(entry)}/{name}"
            steps.append(Step(target, entry.put))
        return steps

    def _folder_of(self, entry: Entry) -> str:
        """The folder for a photo: the one that is called as a folder that it comes from, else the first."""
        from_ = PurePosixPath(entry.place).parts
        return next((name for name in self.photo_folders if PurePosixPath(name).name in from_), self.photo_folders[0])

    def photo_files(self, name: str, files: Mapping[str, str]) -> PhotoFiles:
        """Return the image set of this name, of what is there; ``files``: the name of each image id's file."""
        return PhotoFiles(name, {image: self._photos[file] for image, file in files.items() if file in self._photos})

    def without_images(self, role: Role, absent: Sequence[str], wanted: int) -> str:
        """Count all photos that are not there."""
        return self._missing_photos() or super().without_images(role, absent, wanted)
