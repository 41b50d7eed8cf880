"""The stages of the language models: on text alone, and with pictures and clips."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, ClassVar, Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import BartConfig, BartForConditionalGeneration, PreTrainedTokenizerFast

from harness.backbones.bart import JointBart
from harness.backbones.vision import GRID
from harness.features import pool_frames
from harness.pretraining import box_exercises, boxes, views
from harness.pretraining.albums import Album
from harness.pretraining.language import (
    about_one,
    account,
    answer,
    caption,
    clip_question,
    complete,
    describe,
    describe_clip,
    fill,
    listen,
    look_up,
    match,
    relate,
    sentence,
)
from harness.pretraining.stage import ATTENTION, HEADS, TEXT_LIMIT, WIDTH, Stage
from harness.pretraining.view_captions import caption_view, complete_view
from tasks.mini.clips import FRAMES, Clip
from tasks.mini.clips import pool as clip_pool
from tasks.mini.clips import sample as sample_clip
from tasks.mini.drawing import draw
from tasks.mini.words import Question
from tasks.mini.world import Part, Scene, pool, sample
from tasks.nlvr import in_two_rows

SCENES = 50_000  # whose features the joint stage keeps in memory, half a gigabyte
CLIPS = 8_000  # likewise, an eighth of a gigabyte
BOXES = 20_000  # likewise, a fifth of a gigabyte
VIEWS = 20_000  # likewise
ENGLISH_EVERY = 9  # steps from one batch of English sentences to the next, where there are any; coprime to all cycles

Thing = TypeVar("Thing")
_ALBUMS = {"pair": "scene", "nothing": "scene", "boxes together": "boxes"}  # others by their name


@dataclass(frozen=True)
class Lesson:
    """An exercise, and what is shown with it; it says itself which of "boxes together", a whole batch, is shown."""

    exercise: Callable[[Any, random.Random], Any]
    subject: Literal["scene", "pair", "clip", "boxes", "boxes together", "view", "nothing"] = "scene"

    @property
    def album(self) -> str:
        """Where what is shown comes from."""
        return _ALBUMS.get(self.subject, self.subject)


class LanguageStage(Stage):
    """BART on text alone; an exercise about a scene is given the account of the scene in place of its picture."""

    name = "language"
    steps = 5600
    batch_size = 64
    learning_rate = 1e-3
    matrix_learning_rate = 4e-3
    cycle: ClassVar[tuple[Lesson, ...]] = (
        Lesson(answer),
        Lesson(sentence, "nothing"),
        Lesson(match),
        Lesson(look_up),
        Lesson(complete),
        Lesson(relate),
        Lesson(listen),
    )
    """One exercise a batch, in turn, so that lengths are alike."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, english: Sequence[str] = ()) -> None:
        super().__init__(tokenizer)
        self._english = english
        config = BartConfig(
            vocab_size=len(tokenizer),
            d_model=WIDTH,
            encoder_layers=3,
            decoder_layers=3,
            encoder_attention_heads=HEADS,
            decoder_attention_heads=HEADS,
            encoder_ffn_dim=4 * WIDTH,
            decoder_ffn_dim=4 * WIDTH,
            max_position_embeddings=256,
            dropout=0.0,
            bos_token_id=tokenizer.bos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            decoder_start_token_id=tokenizer.eos_token_id,
            forced_eos_token_id=None,
        )
        language_model = BartForConditionalGeneration(config)
        language_model.set_attn_implementation(ATTENTION)
        self.joint = JointBart(language_model, WIDTH)
        self.model = self.joint.requires_grad_(True)

    def matrices(self) -> list[Tensor]:
        """Every linear layer's weight but the token table, which the output layer shares."""
        table = self.joint.lm.get_input_embeddings().weight
        return [
            part.weight for part in self.model.modules() if isinstance(part, nn.Linear) and part.weight is not table
        ]

    def batch(self, step: int, part: Part) -> tuple[Tensor, list[Question]]:
        """Features (n, images, tokens, width) and exercises of a step."""
        generator = random.Random(f"pretraining/{self.name}/{part}/{step}")
        if self._is_english(step, part):
            return torch.zeros(self.batch_size, 0, GRID * GRID, WIDTH), self._read(generator)
        lesson = self.cycle[step % len(self.cycle)]
        made = []
        for scene in (sample(generator, part) for _ in range(self.batch_size)):
            question = lesson.exercise(scene, generator)
            known = "" if lesson.subject == "nothing" else f" {account(scene)}"
            made.append(Question(question.text + known, question.answer, question.kind))
        return torch.zeros(len(made), 0, GRID * GRID, WIDTH), made

    def _is_english(self, step: int, part: Part) -> bool:
        return bool(self._english) and part == "pretraining" and step % ENGLISH_EVERY == ENGLISH_EVERY - 1

    def _read(self, generator: random.Random) -> list[Question]:
        return [fill(generator.choice(self._english), generator, "English") for _ in range(self.batch_size)]

    def loss(self, step: int) -> Tensor:
        """Mean cross-entropy over the batch's target tokens."""
        features, exercises = self.batch(step, "pretraining")
        ids, mask = self.tokens([exercise.text for exercise in exercises])
        labels, known = self.tokens([exercise.answer for exercise in exercises])
        labels = labels.masked_fill(known == 0, -100)
        logits = self.joint(ids, mask, features.to(self.device), labels)
        return cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), ignore_index=-100)

    @torch.no_grad()
    def held_out(self) -> dict[str, float]:
        """Exact match by kind over generated answers."""
        hits: dict[str, list[bool]] = {}
        for step in range(self.held_out_batches):
            features, exercises = self.batch(step, "validation")
            ids, mask = self.tokens([exercise.text for exercise in exercises])
            output = self.joint.generate(
                ids, mask, features.to(self.device), beams=1, max_length=TEXT_LIMIT, no_repeat_ngram_size=0
            )
            texts = self.tokenizer.batch_decode(output, skip_special_tokens=True)
            for exercise, text in zip(exercises, texts, strict=True):
                hits.setdefault(exercise.kind, []).append(text.strip() == exercise.answer)
        return {kind: sum(each) / len(each) for kind, each in sorted(hits.items())}


class JointStage(LanguageStage):
    """Language and image together: one picture, two, of which the question says which one it is about, or a clip."""

    name = "joint"
    steps = 13_000
    cycle: ClassVar[tuple[Lesson, ...]] = (
        Lesson(answer, "pair"),
        Lesson(describe),
        Lesson(clip_question, "clip"),
        Lesson(match),
        Lesson(relate),
        Lesson(sentence, "nothing"),
        Lesson(describe_clip, "clip"),
        Lesson(answer),
        Lesson(listen),
        Lesson(clip_question, "clip"),
        Lesson(complete),
        Lesson(look_up),
        Lesson(caption),
        Lesson(clip_question, "clip"),
    )

    def __init__(
        self, tokenizer: PreTrainedTokenizerFast, encode: Callable[[Tensor], Tensor], english: Sequence[str] = ()
    ) -> None:
        super().__init__(tokenizer, english)
        self._encode = encode
        self.albums: Mapping[str, Album[Any]] = {
            "scene": Album(lambda: pool("pretraining", SCENES), sample, self.scene_features),
            "clip": Album(lambda: clip_pool("pretraining", CLIPS), sample_clip, self.clip_features),
            "boxes": Album(lambda: _some(boxes.sample, BOXES, "boxes"), _anywhere(boxes.sample), self.box_features),
            "view": Album(lambda: _some(views.sample, VIEWS, "views"), _anywhere(views.sample), self.view_features),
        }

    def scene_features(self, scenes: Sequence[Scene]) -> Tensor:
        """Patches of scenes: (n, 36, width)."""
        return self._encode(self.pixels([draw(scene) for scene in scenes]))

    def clip_features(self, things: Sequence[Clip]) -> Tensor:
        """Pooled patches of clips: (n, 64, width); equal frames are encoded once."""
        shown = [(scene, clip.code) for clip in things for scene in clip.frames()]
        number = {frame: index for index, frame in enumerate(dict.fromkeys(shown))}
        patches = self._encode(self.pixels([draw(*frame) for frame in number]))
        return pool_frames(patches[[number[frame] for frame in shown]], FRAMES)

    def box_features(self, things: Sequence[boxes.Boxes]) -> Tensor:
        """Patches of pictures of boxes, laid out as the task NLVR shows them: (n, 36, width)."""
        return self._encode(self.pixels([in_two_rows(boxes.draw(each)) for each in things]))

    def view_features(self, things: Sequence[views.View]) -> Tensor:
        """Patches of views: (n, 36, width)."""
        return self._encode(self.pixels([views.draw(each) for each in things]))

    def batch(self, step: int, part: Part) -> tuple[Tensor, list[Question]]:
        """Features (n, images, tokens, width) and exercises of a step."""
        generator = random.Random(f"pretraining/{self.name}/{part}/{step}")
        if self._is_english(step, part):
            return self.albums["scene"].draw(generator, part, self.batch_size)[1][:, None], self._read(generator)
        lesson = self.cycle[step % len(self.cycle)]
        if lesson.subject == "pair":
            scenes, features = self.albums["scene"].draw(generator, part, 2 * self.batch_size)
            pairs = zip(scenes[::2], scenes[1::2], strict=True)
            return features.unflatten(0, (-1, 2)), [about_one(pair, lesson.exercise, generator) for pair in pairs]
        things, features = self.albums[lesson.album].draw(generator, part, self.batch_size)
        if lesson.subject == "boxes together":
            which, made = zip(*lesson.exercise(things, generator), strict=True)
            return features[list(which)][:, None], list(made)
        if lesson.subject == "nothing":
            things = things[1:] + things[:1]  # sentences are about other scenes than the pictures
        return features[:, None], [lesson.exercise(thing, generator) for thing in things]


def _some(draw_one: Callable[[random.Random], Thing], count: int, name: str) -> list[Thing]:
    """Things of pre-training that no task shows, so that they need no part of the world to themselves."""
    generator = random.Random(f"pretraining/{name}")
    return [draw_one(generator) for _ in range(count)]


def _anywhere(draw_one: Callable[[random.Random], Thing]) -> Callable[[random.Random, Part], Thing]:
    return lambda generator, part: draw_one(generator)


def _alternate(new: Sequence[Lesson], familiar: Sequence[Lesson]) -> tuple[Lesson, ...]:
    """A familiar lesson after each new one, as long as there are any."""
    return tuple(lesson for pair in zip_longest(new, familiar) for lesson in pair if lesson)


BOX_LESSONS = (
    Lesson(box_exercises.tell, "boxes"),
    Lesson(box_exercises.judge, "boxes together"),
    Lesson(box_exercises.count, "boxes"),
    Lesson(box_exercises.judge, "boxes together"),
    Lesson(box_exercises.judge, "boxes together"),
)


class BoxStage(JointStage):
    """Boxes with many small shapes, told, counted and judged; the joint stage's lessons go on beside them.

    Without it the model learns nothing from NLVR's few sentences: it never left chance.
    """

    name = "boxes"
    steps = 4000
    held_out_batches = 29
    cycle = _alternate(BOX_LESSONS * 3, JointStage.cycle)


class ViewStage(JointStage):
    """Everyday views with captions as people write them; what the other stages taught goes on beside them.

    Without it the model has no word for what photos show, and a few hundred of them do not teach it.
    """

    name = "views"
    steps = 5000
    learning_rate = 5e-4  # at twice that, the stage of boxes unlearnt to tell clips
    matrix_learning_rate = 2e-3
    held_out_batches = 29
    cycle = _alternate(
        tuple(
            lesson
            for about_boxes in BOX_LESSONS
            for lesson in (Lesson(caption_view, "view"), about_boxes, Lesson(complete_view, "view"))
        ),
        JointStage.cycle,
    )
