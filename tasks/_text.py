"""Tasks of text alone, on files of labelled texts; and the draws by which HyperFormer's code makes splits of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar, NamedTuple

import numpy as np
from PIL.Image import Image

from tasks._folder import FolderTask
from tasks.base import Card, DataError, Decoding, Example, ImageSet, Metric, Role, Scored
from tasks.metrics.exact import METRIC, exact

SEED = 42  # of all of HyperFormer's splits


def shuffled(count: int, seed: int = SEED) -> list[int]:
    """Return 0 ... count - 1 in the order of ``torch.randperm`` with a generator of this seed, as HyperFormer draws.

    That is Fisher and Yates' shuffle: at place i, the next 32 bits of a Mersenne twister modulo (count - i) say with
    which of the places from i on to change.
    """
    draws = np.random.RandomState(seed).randint(0, 2**32, size=max(count - 1, 0), dtype=np.uint32)
    order = list(range(count))
    for place, bits in enumerate(draws.tolist()):
        other = place + bits % (count - place)
        order[place], order[other] = order[other], order[place]
    return order


class Share(NamedTuple):
    """What plays a role: a file, or of its `shuffled` examples some."""

    title: str
    file: str  # as the owners call it, without its ending
    cut: Callable[[int], slice] | None = None  # how many examples there are -> those that are taken


class Labelled(NamedTuple):
    """One example as it lies in a file."""

    id: str
    texts: tuple[str, ...]
    target: str  # the class's number in digits, or a number


class NoImages(ImageSet):
    """The images of a task that has none."""

    name = fingerprint = "no images"

    def ids(self) -> Sequence[str]:
        """Nothing."""
        return ()

    def open(self, image_id: str) -> Image:
        """Refuse."""
        raise DataError(f"no image {image_id!r}: this is a task of text")


def halved(file: str) -> Mapping[Role, Share]:
    """The rule for sets of which one published file must both select and report: each half of its examples does one."""
    return {
        "train": Share("train", "train"),
        "select": Share(f"first half of {file}, shuffled", file, lambda count: slice(count // 2)),
        "report": Share(f"second half of {file}, shuffled", file, lambda count: slice(count // 2, None)),
    }


class TextTask(FolderTask):
    """Texts with a label; sub-classes say how the files are read.

    The answer is the number of the class, generated and compared as text, as in HyperFormer's code.
    """

    version = "1"
    # Start, the digit in at most two tokens, end: as long as the longest label, as in HyperFormer's code.
    decoding = Decoding(max_length=4)
    text_limit = 128
    title: ClassVar[str]
    summary: ClassVar[str]
    citation: ClassVar[str]
    licence: ClassVar[str]
    bibtex: ClassVar[str]
    form: ClassVar[str]  # the input, with {} for each text
    shares: ClassVar[Mapping[Role, Share]]

    @property
    def metric(self) -> Metric:
        """How the task is scored."""
        return METRIC

    @property
    def card(self) -> Card:
        """The task's card."""
        return Card(
            title=self.title,
            summary=self.summary,
            source=f"{self.citation}; {self.origin}",
            licence=self.licence,
            splits={role: share.title for role, share in self.shares.items()},
            metric=self.metric,
            cluster="first text",
            bibtex=self.bibtex,
        )

    def read(self, role: Role) -> Iterable[Example]:
        """One example per line or record, in the order of the file or of the draw."""
        share = self.shares[role]
        found = list(self.labelled(share.file))
        if share.cut is not None:
            found = [found[place] for place in shuffled(len(found))[share.cut(len(found))]]
        for name, texts, target in found:
            yield Example(
                id=name,
                text=self.form.format(*texts),
                images=(),
                targets=(target,),
                weights=(1.0,),
                references=(target,),
                cluster=texts[0] or name,
            )

    @abstractmethod
    def labelled(self, file: str) -> Iterable[Labelled]:
        """Read a file of `shares`.

        Raises:
            DataError: it is missing or broken.
        """

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        """Share of classes that are given word for word."""
        return Scored(*exact(predictions, [example.references for example in examples]))

    def image_set_name(self, role: Role) -> str:
        """The same for all roles."""
        return NoImages.name

    def open_images(self, role: Role) -> ImageSet:
        """There are none."""
        return NoImages()
