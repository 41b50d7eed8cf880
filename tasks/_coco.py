"""COCO's photos and captions in Karpathy's split: what `vqav2` and `coco-caption` share.

Layout of ``<data>/coco/``:

* ``dataset_coco.json``: from Karpathy's ``caption_datasets.zip``; of its ``images`` cocoid, filepath, filename, split
  and sentences (raw) are read;
* ``train2014/COCO_train2014_000000000009.jpg`` ..., ``val2014/COCO_val2014_000000000042.jpg`` ...: as COCO's
  ``train2014.zip`` and ``val2014.zip`` unpack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tasks._json import in_list, values_of
from tasks._photos import PhotoTask
from tasks.base import DataError, ImageSet, Role

KARPATHY = "coco/dataset_coco.json"
PHOTO_ORIGIN = "COCO's train2014.zip and val2014.zip are at cocodataset.org"
KARPATHY_ORIGIN = (
    f"dataset_coco.json is in cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip, {PHOTO_ORIGIN}"
)
SPLITS: Mapping[Role, str] = {"train": "Karpathy train", "select": "Karpathy val", "report": "Karpathy test"}
_ROLES: Mapping[str, Role] = {"train": "train", "restval": "train", "val": "select", "test": "report"}


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo of COCO."""

    id: str  # COCO's number
    folder: str  # "train2014" or "val2014"
    file: str
    role: Role
    captions: tuple[str, ...]


def read_karpathy(path: Path) -> dict[int, Photo]:
    """Return all photos of Karpathy's file by their number in COCO.

    Raises:
        DataError: the file is missing, broken or not what was expected.
    """
    photos: dict[int, Photo] = {}
    fields = {"cocoid": int, "filepath": str, "filename": str, "split": str, "sentences": list}
    for number, folder, file, split, sentences in in_list(path, "images", fields):
        if number in photos:
            raise DataError(f"{path}: image {number} occurs twice; fetch the file again")
        if split not in _ROLES:
            raise DataError(f"{path}: image {number}: split {split!r}; expected one of {', '.join(_ROLES)}")
        try:
            captions = tuple(stripped for sentence in sentences if (stripped := sentence["raw"].strip()))
        except (AttributeError, KeyError, TypeError):
            captions = ()
        if not captions:
            raise DataError(f"{path}: image {number}: its sentences hold no caption; expected texts called 'raw'")
        photos[number] = Photo(str(number), folder, file, _ROLES[split], captions)
    return photos


class KarpathyTask(PhotoTask):
    """A task on COCO's photos, parted as Karpathy parted them: training takes his train and restval."""

    photo_folders = ("coco/train2014", "coco/val2014")
    photo_origin = PHOTO_ORIGIN

    @cached_property
    def photos(self) -> Mapping[int, Photo]:
        """All photos by their number in COCO."""
        return read_karpathy(self.folder / KARPATHY)

    def photo_names(self) -> set[str]:
        """All files that Karpathy's file names."""
        return values_of(self.folder / KARPATHY, "filename")

    def image_set_name(self, role: Role) -> str:
        """The tasks share one set of photos for each role."""
        return f"coco/{SPLITS[role].lower().replace(' ', '-')}"

    def open_images(self, role: Role) -> ImageSet:
        """The photos of one of Karpathy's parts, by their number in COCO."""
        files = {photo.id: photo.file for photo in self.photos.values() if photo.role == role}
        return self.photo_files(self.image_set_name(role), files)
