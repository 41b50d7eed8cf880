"""IMDB: does a film review praise? (Maas et al. 2011), with the splits of HyperFormer and HyperPELT for transfer.

Layout of ``<data>/aclImdb/``, as ai.stanford.edu/~amaas/data/sentiment gives it out: ``train/`` and ``test/`` with the
folders ``neg/`` and ``pos/``, a review a file, such as ``neg/127_3.txt`` (number, stars). Half of test selects and half
reports. The draw is HyperFormer's, but over reviews in the order of their numbers, negative ones first: the order in
which the papers read them is not known, so their halves may be others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from tasks._files import open_text
from tasks._text import Labelled, TextTask, halved
from tasks.base import Part

FOLDERS = tuple(f"{part}/{side}" for part in ("train", "test") for side in ("neg", "pos"))


class Imdb(TextTask):
    """IMDB: is a film review positive? Accuracy."""

    name = "imdb"
    prefix = "imdb "
    folders = ("aclImdb",)
    required = ()  # fifty thousand files, which the folders list
    origin = "aclImdb_v1.tar.gz is at ai.stanford.edu/~amaas/data/sentiment"
    title = "IMDB"
    summary = "A film review; whether it is positive, 1 or 0."
    citation = "Maas, Daly, Pham, Huang, Ng and Potts 2011"
    bibtex = "maas2011imdb"
    licence = "for research; the reviews belong to their authors"
    shares = halved("test")
    form = "{}"

    def absent(self) -> list[str]:
        """Names of the folders that are not there."""
        return [f"{name}/" for name in FOLDERS if not (self.folder / name).is_dir()]

    @cached_property
    def _reviews(self) -> dict[str, Sequence[Path]]:
        """The files of each folder by their numbers."""
        return {name: sorted((self.folder / name).glob("*_*.txt"), key=_number) for name in FOLDERS}

    def files(self) -> tuple[Path, ...]:
        """All reviews."""
        return tuple(path for paths in self._reviews.values() for path in paths)

    def parts(self) -> Sequence[Part]:
        """The reviews of each folder."""
        if self.data is None:
            return ()
        return [
            Part(self._place(name), len(paths), None, sum(path.stat().st_size for path in paths))
            for name, paths in self._reviews.items()
        ]

    def labelled(self, file: str) -> Iterable[Labelled]:
        """One example a file."""
        for target, side in enumerate(("neg", "pos")):
            for path in self._reviews[f"{file}/{side}"]:
                with open_text(path) as review:
                    yield Labelled(f"{side}/{path.stem}", (review.read().strip(),), f"{target}")


def _number(path: Path) -> tuple[int, str]:
    first = path.name.partition("_")[0]
    return (int(first) if first.isdecimal() else 0, path.name)
