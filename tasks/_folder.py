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
from tasks._source import Source, Step
from tasks.base import DataError, Example, ImageSet, Part, Role, Task

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
        self._records: dict[Role, tuple[Example, ...]] = {}
        self._complete: set[Role] = set()
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

    def parts(self) -> Sequence[Part]:
        """Each file of its own."""
        if self.data is None:
            return ()
        return [self._part(name, name in self.required) for name in (*self.required, *self.optional)]

    def _part(self, name: str, needed: bool) -> Part:
        path = self.folder / name
        there = path.is_file()
        return Part(self._place(name), int(there), 1, path.stat().st_size if there else 0, needed)

    def preparation(self, source: Source) -> Sequence[Step]:
        """Files that lie among the downloads as they are read."""
        found = (source.step(self._place(name), self._place(name)) for name in (*self.required, *self.optional))
        return [step for step in found if step]

    def _place(self, name: str) -> str:
        """A file of the task, from the data folder on."""
        return (self.folder / name).relative_to(str(self.data)).as_posix()

    def records(self, role: Role) -> Sequence[Example]:
        """Read the examples of a role, once."""
        if role not in self._records:
            made = tuple(self.read(role))
            if len({example.id for example in made}) < len(made):
                twice = next(name for name, count in Counter(one.id for one in made).items() if count > 1)
                split = self.card.splits[role]
                raise DataError(f"{self.folder}: example {twice!r} of {split} occurs twice; {self.origin}")
            if not made:
                raise DataError(f"{self.folder}: no example in the {self.card.splits[role]}; {self.origin}")
            self._records[role] = made
        return self._records[role]

    def examples(self, role: Role) -> Sequence[Example]:
        """Read the examples of a role, and check that each has its images."""
        made = self.records(role)
        if role not in self._complete:
            named = {image for example in made for image in example.images}
            if absent := sorted(named.difference(self.images(role).ids())):
                raise DataError(self.without_images(role, absent, len(named)))
            self._complete.add(role)
        return made

    def without_images(self, role: Role, absent: Sequence[str], wanted: int) -> str:
        """Say that images are absent, of so many that are wanted."""
        return (
            f"{self.folder}: {len(absent)} of {wanted} images of the {self.card.splits[role]} "
            f"are not in the image files (first: {absent[0]}); {self.origin}"
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
