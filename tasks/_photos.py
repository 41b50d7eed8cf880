"""Tasks on photos that lie as plain files in folders, where any of them may be absent."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import ClassVar

from PIL import Image

from tasks._files import decode
from tasks._folder import FolderTask
from tasks._scattered import Found, Scattered, digest_of
from tasks.base import DataError, ImageSet


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

    @cached_property
    def scattered(self) -> Scattered:
        """The photos."""
        folders = [self.folder / name for name in self.photo_folders]
        origin = f"{self.photo_origin}; layout in {type(self).__module__}"
        return Scattered(folders, self.photo_names, "photos", origin)

    @abstractmethod
    def photo_names(self) -> set[str]:
        """Names of the files of all photos that the annotations name, by a quick scan.

        Raises:
            DataError: a file cannot be read.
        """

    @property
    def wanted_photos(self) -> set[str]:
        """What `photo_names` found, scanned once."""
        return self.scattered.wanted

    def photo_files(self, name: str, files: Mapping[str, str]) -> PhotoFiles:
        """Return the image set of this name; ``files``: the name of each image id's file.

        Raises:
            DataError: photos are not there.
        """
        return PhotoFiles(name, self.scattered.locate(files))
