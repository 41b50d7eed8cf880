"""Tasks whose data are a few files in one folder: which files, which are missing, what was read of them."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from tasks._files import digest
from tasks.base import DataError, Example, ImageSet, Role, Task

SELECT_SHARE = 0.1
"""Share of the owners' training images that is kept from training, to select checkpoints."""


def held_out(groups: Iterable[str], name: str, share: float = SELECT_SHARE) -> frozenset[str]:
    """Draw a share of the distinct groups, at least one; the same for the same groups and name."""
    distinct = sorted(set(groups))
    return frozenset(random.Random(f"{name}/select").sample(distinct, max(1, round(share * len(distinct)))))


class FolderTask(Task):
    """A task that reads files in one folder below ``data``; sub-classes say which files and how.

    Examples and image sets are read once per task object.
    """

    folders: ClassVar[tuple[str, ...]]  # accepted names of the folder; the first that exists counts
    required: ClassVar[tuple[str, ...]]  # files without which nothing runs
    optional: ClassVar[tuple[str, ...]] = ()  # files that are used where present
    origin: ClassVar[str]  # where the data can be had, in a few words

    def __init__(self, data: Path | None = None) -> None:
        super().__init__(data)
        self._examples: dict[Role, tuple[Example, ...]] = {}
        self._images: dict[str, ImageSet] = {}

    @property
    def folder(self) -> Path:
        """The task's folder.

        Raises:
            DataError: no data folder was given.
        """
        if self.data is None:
            raise DataError(self._no_data())
        candidates = [self.data / name for name in self.folders]
        return next((path for path in candidates if path.is_dir()), candidates[0])

    def contents(self) -> str:
        """What the data folder must hold, in a few words."""
        return " or ".join(f"{name}/" for name in self.folders)

    def _no_data(self) -> str:
        return f"no data folder: pass --data or set HARNESS_DATA to the one that holds {self.contents()}; {self.origin}"

    def missing(self) -> str | None:
        """Name the files that are not there and where the data can be had."""
        if self.data is None:
            return self._no_data()
        absent = self.absent()
        if not absent:
            return None
        return f"{self.folder} lacks {', '.join(absent)}: {self.origin}; layout in {type(self).__module__}"

    def absent(self) -> list[str]:
        """Names of what is required and not there."""
        return [name for name in self.required if not (self.folder / name).is_file()]

    def files(self) -> tuple[Path, ...]:
        """All files of the task that are there or must be there."""
        there = [self.folder / name for name in self.optional if (self.folder / name).is_file()]
        return (*(self.folder / name for name in self.required), *there)

    @cached_property
    def _digest(self) -> str:
        return digest(self.files())

    def fingerprint(self) -> str:
        """Digest of the contents of all files of the task."""
        return self._digest

    def examples(self, role: Role) -> Sequence[Example]:
        """Read the examples of a role, and check that each has its images."""
        if role not in self._examples:
            made = tuple(self.read(role))
            self._check(role, made)
            self._examples[role] = made
        return self._examples[role]

    def _check(self, role: Role, made: Sequence[Example]) -> None:
        if len({example.id for example in made}) < len(made):
            twice = next(name for name, count in Counter(example.id for example in made).items() if count > 1)
            raise DataError(f"{self.folder}: example {twice!r} of {self.card.splits[role]} occurs twice; {self.origin}")
        if not made:
            raise DataError(f"{self.folder}: no example in the {self.card.splits[role]}; {self.origin}")
        known = set(self.images(role).ids())
        named = {image for example in made for image in example.images}
        if unknown := sorted(named - known):
            raise DataError(
                f"{self.folder}: {len(unknown)} of {len(named)} images of the {self.card.splits[role]} "
                f"are not in the image files (first: {unknown[0]}); {self.origin}"
            )

    def images(self, role: Role) -> ImageSet:
        """The image set of a role, opened once."""
        name = self.image_set_name(role)
        if name not in self._images:
            self._images[name] = self.open_images(role)
        return self._images[name]

    def image_set_name(self, role: Role) -> str:
        """Name of the role's image set; roles that name the same set share it."""
        return f"{self.name}/images"

    @abstractmethod
    def read(self, role: Role) -> Iterable[Example]:
        """Read the examples of a role from the files.

        Raises:
            DataError: a file is missing or broken.
        """

    @abstractmethod
    def open_images(self, role: Role) -> ImageSet:
        """Make the image set called `image_set_name`."""
