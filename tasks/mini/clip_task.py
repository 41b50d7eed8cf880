"""What the four embedded video tasks share: clips, their frames, cards, and examples of two forms."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

from PIL.Image import Image

from tasks.base import Card, DataError, Example, ImageSet, Role, Scored
from tasks.metrics import cider, exact
from tasks.mini.clips import FRAMES, Clip, pool
from tasks.mini.drawing import draw
from tasks.mini.task import ANSWER_DECODING, CAPTION_DECODING, PARTS, CodedImages, MiniTask
from tasks.mini.words import Question

CLIPS: Mapping[Role, int] = {"train": 1200, "select": 200, "report": 400}


@lru_cache(maxsize=8)
def clips(role: Role) -> tuple[Clip, ...]:
    """The clips that all embedded video tasks share in one role."""
    return tuple(pool(PARTS[role], CLIPS[role]))


class ClipImages(CodedImages):
    """Frames of clips."""

    frames: ClassVar[int] = FRAMES

    def open(self, image_id: str) -> Image:
        """Draw the first frame."""
        return self.open_frames(image_id)[0]

    def open_frames(self, image_id: str) -> Sequence[Image]:
        """Draw all frames; equal ones once."""
        try:
            scenes = Clip.parse(image_id).frames()
        except ValueError as error:
            raise DataError(f"{self.name}: {error}") from error
        pictures = {scene: draw(scene, image_id) for scene in dict.fromkeys(scenes)}
        return [pictures[scene] for scene in scenes]


@lru_cache(maxsize=8)
def clip_images(role: Role) -> ClipImages:
    """The frames of these clips."""
    return ClipImages(f"mini clips/{PARTS[role]}", [clip.code for clip in clips(role)])


class ClipTask(MiniTask):
    """A task on generated clips with subtitles, one example per clip; always available."""

    counts: ClassVar[Mapping[Role, int]] = CLIPS

    @property
    def card(self) -> Card:
        """The task's card."""
        return super().card.model_copy(update={"cluster": "clip"})

    def images(self, role: Role) -> ImageSet:
        """One set per role, shared by all tasks on clips."""
        return clip_images(role)

    def examples(self, role: Role) -> Sequence[Example]:
        """One example per clip."""
        return [self.example(f"{index}", clip, self.generator(role, index)) for index, clip in enumerate(clips(role))]

    @abstractmethod
    def example(self, name: str, clip: Clip, generator: random.Random) -> Example:
        """The example with this id about a clip."""


class ChoiceTask(ClipTask):
    """Questions with choices; the answer is one of them, in words."""

    metric = exact.METRIC
    decoding = ANSWER_DECODING
    text_limit = 100
    target_limit = 10

    @abstractmethod
    def ask(self, clip: Clip, generator: random.Random) -> tuple[str, Question]:
        """Subtitles, and a question with choices."""

    def example(self, name: str, clip: Clip, generator: random.Random) -> Example:
        """A question with its answer."""
        subtitles, question = self.ask(clip, generator)
        answer = (question.answer,)
        return Example(
            name,
            question.text,
            (clip.code,),
            answer,
            (1.0,),
            answer,
            cluster=clip.code,
            kind=question.kind,
            subtitles=subtitles,
        )

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        """Exact match."""
        return Scored(*exact.exact(predictions, [example.references for example in examples]))


class CaptionTask(ClipTask):
    """Captions of a clip or of a part of it, several references each."""

    metric = cider.METRIC
    decoding = CAPTION_DECODING
    text_limit = 60
    target_limit = 40

    @abstractmethod
    def tell(self, clip: Clip, generator: random.Random) -> tuple[str, str, tuple[str, ...]]:
        """Subtitles, the text that asks for a caption, and the references."""

    def example(self, name: str, clip: Clip, generator: random.Random) -> Example:
        """A clip with its captions; one of them is drawn at each reading."""
        subtitles, text, captions = self.tell(clip, generator)
        return Example(
            name,
            text,
            (clip.code,),
            captions,
            (1.0,) * len(captions),
            captions,
            cluster=clip.code,
            kind="caption",
            subtitles=subtitles,
        )

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        """CIDEr-D with document frequencies of the scored references."""
        return Scored(*cider.cider(predictions, [example.references for example in examples]))
