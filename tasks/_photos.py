"""Tasks on photos that lie as plain files in folders, where any of them may be absent."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePath, PurePosixPath
from typing import ClassVar

from PIL import Image

from tasks._files import decode
from tasks._folder import FolderTask
from tasks._scattered import Found, Scattered, digest_of
from tasks._source import Entry, Source, Step
from tasks.base import DataError, FeatureSource, ImageSet, Part, Role
from tasks.features import open_features


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

    def feature_name(self, image_id: str) -> str:
        """The name of the photo's file, without suffix, as in VL-Adapter's files."""
        return self._files[image_id][0].stem


class PhotoTask(FolderTask):
    """A task whose annotation files name photos; it can run when every one of them, or features of it, is there.

    The task's files are named from the data folder on: tasks share photos. Features of an encoder lie in the folder
    ``features/ENCODER`` beside the photos', such as ``coco/features/clip-rn101``, in files and folders of any names.
    """

    folders = ("",)
    photo_folders: ClassVar[tuple[str, ...]]
    photo_origin: ClassVar[str]  # where the photos can be had, in a few words

    def contents(self) -> str:
        """The folders of all files."""
        return " and ".join(dict.fromkeys(f"{name.split('/')[0]}/" for name in (*self.required, *self.photo_folders)))

    def absent(self) -> list[str]:
        """Files and folders that are required and not there."""
        photos = () if self._any_features else self.photo_folders
        return super().absent() + [f"{name}/" for name in photos if not (self.folder / name).is_dir()]

    def missing(self) -> str | None:
        """Name the files that are not there, or count the photos; what is there but broken, `examples` tells.

        Of photos and features, either will do; `missing_images` knows of which encoder.
        """
        try:
            return super().missing() or (None if self._any_features else self._scattered.missing())
        except DataError:
            return None

    def missing_images(self, encoder: str) -> str | None:
        """Count the photos that are not there, or that features of this encoder leave out."""
        source = self.precomputed(encoder)
        if source is None:
            return self._scattered.missing()
        if encoder not in self._left_out:  # asked for every cell of a grid
            self._left_out[encoder] = sorted(
                name for name in self.wanted_photos if name.rpartition(".")[0] not in source.names
            )
        if not (absent := self._left_out[encoder]):
            return None
        return (
            f"{len(absent):,} of {len(self.wanted_photos):,} photos have no features in {source.place} (first: "
            f"{absent[0]}); extract them by `python -m harness features --encoder {encoder}`, or take the folder away"
        )

    @cached_property
    def _left_out(self) -> dict[str, list[str]]:
        return {}

    def precomputed(self, encoder: str) -> FeatureSource | None:
        """What lies in the encoder's folders, opened once."""
        if self.data is None:
            return None
        if encoder not in self._opened:
            folders = [folder / encoder for folder in self._feature_folders]
            self._opened[encoder] = open_features([folder for folder in folders if folder.is_dir()], encoder)
        return self._opened[encoder]

    @cached_property
    def _opened(self) -> dict[str, FeatureSource | None]:
        return {}

    @property
    def _feature_folders(self) -> list[Path]:
        return list(dict.fromkeys(self.folder / PurePath(name).parent / "features" for name in self.photo_folders))

    @property
    def _any_features(self) -> bool:
        return any(folder.is_dir() for folder in self._feature_folders)

    @cached_property
    def _scattered(self) -> Scattered:
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
        return self._scattered.wanted

    def fingerprint(self) -> str:
        """Digest of the contents of all annotation files, and of names and sizes of all photos."""
        return f"{super().fingerprint()}-{self._scattered.fingerprint()}"

    def fingerprint_for(self, encoder: str) -> str:
        """The same, with the features in the photos' place where there are some."""
        source = self.precomputed(encoder)
        return self.fingerprint() if source is None else f"{super().fingerprint()}-{source.fingerprint}"

    def parts(self) -> Sequence[Part]:
        """Each annotation file of its own, and all photos; where the annotations are absent, any photos."""
        if self.data is None:
            return ()
        return (*super().parts(), self._scattered.part(" and ".join(self.photo_folders)))

    def preparation(self, source: Source) -> Sequence[Step]:
        """Annotation files and, when they are there, the photos that they name."""
        steps = list(super().preparation(source))
        if super().absent():
            return steps
        found = self._scattered.found
        for name in sorted(self.wanted_photos):
            if (entry := source.find(name)) is None:
                continue
            if name in found:
                target = found[name][0].relative_to(str(self.data)).as_posix()
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
        found = dict(self._scattered.found)
        if self._any_features:  # then a photo is needed only where one is opened
            found = {file: (self.folder / self.photo_folders[0] / file, 0) for file in files.values()} | found
        return PhotoFiles(name, {image: found[file] for image, file in files.items() if file in found})

    def without_images(self, role: Role, absent: Sequence[str], wanted: int) -> str:
        """Count all photos that are not there."""
        return self._scattered.missing() or super().without_images(role, absent, wanted)
