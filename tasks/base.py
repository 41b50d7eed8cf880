"""What a task is: a card, examples, images and a scorer. No torch here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from PIL.Image import Image
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import numpy as np

    from tasks._source import Source, Step

Role = Literal["train", "select", "report", "submit"]
"""What a split is used for: to learn, to choose a checkpoint, to publish a score, and, where its references are hidden,
to send predictions to the owners. Selection and report never coincide."""

ROLES: tuple[Role, ...] = ("train", "select", "report")
"""What every task has splits for."""


class DataError(Exception):
    """A data file is missing, broken or not what was expected; the message names file, expectation and fix."""


class Metric(BaseModel):
    """The headline score of a task. Values are raw fractions; reports multiply them by ``scale``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["accuracy", "vqa-accuracy", "cider", "matthews", "f1-and-accuracy", "pearson-and-spearman"]
    title: str
    version: str  # changes whenever the same predictions could score differently
    scale: float = 100.0
    higher_is_better: bool = True
    parts: tuple[str, ...] = ()  # the metrics in `Scored.more` whose mean it is, where a task has no single one


class Decoding(BaseModel):
    """How a prediction is made from the model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    beams: int = 1
    max_length: int = 20  # tokens, the decoder's start token included
    no_repeat_ngram_size: int | None = None  # no run of so many tokens comes twice; None: as the backbone's checkpoint
    choices: tuple[str, ...] = ()  # not empty: no generation; the choice with the likeliest own token wins


class Card(BaseModel):
    """Where a task comes from and how it is reported."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    summary: str  # one sentence: what goes in, what comes out
    source: str  # a citation or an address where the data can be had
    licence: str
    splits: Mapping[Role, str]  # the name of the split that plays each role, as the data's owners call it
    metric: Metric
    cluster: str = "image"  # what per-example scores are clustered by in a bootstrap
    bibtex: str = ""  # citation key
    sizes: Mapping[str, int] = {}  # examples of the whole data by role, or of several such as "train+select"


@dataclass(frozen=True, slots=True)
class Example:
    """One question, statement or caption request."""

    id: str  # unique within a task and role
    text: str  # the input text without the task prefix and without subtitles; empty for captions
    images: tuple[str, ...]  # ids in the task's image set, in order
    targets: tuple[str, ...] = ()  # texts to learn from; one is drawn each time the example is read
    weights: tuple[float, ...] = ()  # score of each target: its drawing probability, and the VQA loss weight
    references: tuple[str, ...] = ()  # what the scorer compares with (ten annotators' answers, the captions)
    cluster: str = ""  # cluster key, such as the image id
    kind: str = ""  # question type, for analysis
    subtitles: str = ""  # what is said in a clip

    @property
    def whole_text(self) -> str:
        """The input text with its subtitles first, in VL-Adapter's format for video."""
        return f"[Subs] {self.subtitles} {self.text}".rstrip() if self.subtitles else self.text


@dataclass(frozen=True)
class Part:
    """A file of a task's data, or all its photos or features, as it lies on disk."""

    name: str  # from the data folder on
    there: int  # files
    wanted: int | None  # files; None where what says how many is not there
    size: int  # bytes of those that are there
    needed: bool = True  # without it, nothing runs


@dataclass(frozen=True)
class Scored:
    """Scores of a list of predictions: raw fractions, one per example and in aggregate."""

    value: float  # the headline metric
    per_example: Sequence[float]  # not a number where the metric is of all examples together
    more: Mapping[str, float] = field(default_factory=dict)  # further metrics by name, such as consistency

    def parts(self, metric: Metric) -> list[float]:
        """The values of the metric's parts, or of itself where it has none."""
        return [self.more[part] for part in metric.parts] or [self.value]


class ImageSet(ABC):
    """Images or clips by id, drawn or decoded on demand."""

    name: str  # unique among all image sets, for instance "mini/train"
    fingerprint: str  # changes whenever any image or the list of ids could differ
    frames: ClassVar[int] = 1  # pictures of each id; of clips more than one, at most 64
    may_be_shown: ClassVar[bool] = False  # in reports, which are passed on: only where the licence permits that

    @abstractmethod
    def ids(self) -> Sequence[str]:
        """All image ids, in a fixed order."""

    @abstractmethod
    def open(self, image_id: str) -> Image:
        """Return one image in mode RGB; of a clip its first frame.

        Raises:
            DataError: the image is missing or does not decode.
        """

    def open_frames(self, image_id: str) -> Sequence[Image]:
        """Return the ``frames`` pictures of an id in order; of an image, the image alone. Raises as `open`."""
        return (self.open(image_id),)

    def feature_name(self, image_id: str) -> str:
        """Return the name of an image or clip in a `FeatureSource`."""
        return image_id


class FeatureSource(ABC):
    """Features that were made before, of pictures or clips by name.

    They are read one at a time and nothing stays open, so that processes may share a source and a source may be larger
    than memory.
    """

    place: str  # where they lie, for messages
    encoder: str  # what made them; one of this project's encoders, or another's name
    fingerprint: str  # changes whenever any feature could differ
    tokens: int  # of each picture or clip
    width: int  # of each token

    @property
    @abstractmethod
    def names(self) -> Collection[str]:
        """What there are features of."""

    @abstractmethod
    def read(self, name: str) -> np.ndarray:
        """Return the features of one of the ``names``: (tokens, width), float16 or float32.

        Raises:
            DataError: they cannot be read, or are not what was expected.
        """


class Task(ABC):
    """A plugin: one file in ``tasks/``, an entry point in group ``harness.tasks``, or a file given by ``--plugin``."""

    name: ClassVar[str]
    version: ClassVar[str]  # changes whenever the same data could give other examples, or decoding other answers
    prefix: ClassVar[str]  # put to the text when task prefixes are on, for instance "vqa: "
    prefix_place: ClassVar[Literal["before", "after"]] = "before"  # the text, its subtitles included
    published_prefix: ClassVar[str | None] = None  # what the papers' code puts there, where it is something else
    decoding: ClassVar[Decoding] = Decoding()
    loss: ClassVar[Literal["example", "weighted-example", "token"]] = "example"
    """example: mean over examples of the mean token loss; weighted-example: the same times the drawn target's
    weight (VQA); token: one mean over all tokens of the batch (captions)."""
    offered: ClassVar[int] = 0  # choices that every example's text lists
    text_limit: ClassVar[int | None] = None  # tokens, special tokens included
    target_limit: ClassVar[int | None] = None
    batch_share: ClassVar[float] = 1.0  # batch size of this task relative to the suite's

    def __init__(self, data: Path | None = None) -> None:
        """Remember where the data lies; read nothing yet (``data`` is the folder given by ``--data``)."""
        self.data = data

    @property
    @abstractmethod
    def card(self) -> Card:
        """The task's card. May depend on which split files are present."""

    def missing(self) -> str | None:
        """Return None if the task can run, else one sentence: what is missing and how to get it."""
        return None

    def precomputed(self, encoder: str) -> FeatureSource | None:
        """Return features of this image encoder that lie among the data and stand for the pictures; None: none do.

        Raises:
            DataError: they are there but broken.
        """
        return None

    def missing_images(self, encoder: str) -> str | None:
        """Return None if pictures, or features of this encoder in their place, are there, else as `missing` does."""
        return None

    def preparation(self, source: Source) -> Sequence[Step]:
        """What `data prepare` can write now from the owners' downloads; it asks again when these files are there.

        Raises:
            DataError: a download is broken.
        """
        return ()

    def parts(self) -> Sequence[Part]:
        """What the task reads from the data folder, and how much of it is there; empty if it reads nothing."""
        return ()

    @abstractmethod
    def fingerprint(self) -> str:
        """Digest of the data as it lies on disk; part of every cell's key.

        Raises:
            DataError: a file is there but cannot be read.
        """

    def fingerprint_for(self, encoder: str) -> str:
        """Digest of the data that a cell with this encoder reads: of `precomputed` features in place of pictures."""
        return self.fingerprint()

    @abstractmethod
    def examples(self, role: Role) -> Sequence[Example]:
        """Return the examples that play a role, in a fixed order.

        Raises:
            DataError: a file is missing or broken.
        """

    def records(self, role: Role) -> Sequence[Example]:
        """Return the examples whether or not their images are there; raises as `examples`."""
        return self.examples(role)

    @abstractmethod
    def images(self, role: Role) -> ImageSet:
        """Return the images that the examples of this role refer to."""

    @abstractmethod
    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        """Score one prediction per example."""


class SubmittedTask(Task):
    """A task with a split for "submit", too: only its owners' server scores that one.

    Its examples have neither targets nor references; its files need not be there for anything else.
    """

    @abstractmethod
    def submission(self, role: Role, examples: Sequence[Example], predictions: Sequence[str]) -> tuple[str, str]:
        """Return the file that the server takes, its name (folder included) and its content.

        Args:
            role: "report" or "submit"; servers take predictions of both.
            examples: all examples of that role.
            predictions: one for each.
        """
