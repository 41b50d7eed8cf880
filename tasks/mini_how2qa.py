"""mini-how2qa: the frames show which shape is meant, subtitles say what belongs to it; four choices."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import ClassVar

from tasks.base import Decoding
from tasks.mini.clip_task import ChoiceTask
from tasks.mini.clip_words import FOODS, HALVES, LABELS, TIMES, VERBS, name_actors, with_choices
from tasks.mini.clips import FRAMES, STEADY, Actor, Clip
from tasks.mini.words import Question, place

Asker = Callable[[Clip, random.Random], tuple[str, Actor]]
CHOICES = LABELS[:4]
SPANS = {"start": f"(0-{STEADY - 1})", "end": f"({FRAMES - STEADY}-{FRAMES - 1})"}  # first and last frame of each time


def ask_deed(clip: Clip, generator: random.Random) -> tuple[str, Actor]:
    """Which shape does this?"""
    actor = generator.choice(clip.actors)
    return f"[Q] what is added when one {VERBS[actor.action]}?", actor


def ask_half(clip: Clip, generator: random.Random) -> tuple[str, Actor]:
    """Which shape acts in this half?"""
    half = generator.randrange(len(HALVES))
    return f"[Q] what is added next? [TS] {HALVES[half]}", clip.actors[half]


def ask_place(clip: Clip, generator: random.Random) -> tuple[str, Actor]:
    """Which shape is at this place at this time?"""
    found = [
        (f"[Q] what is added at the {place(item)}? [TS] {SPANS[time]}", actor)
        for actor in clip.actors
        for time, frame in TIMES.items()
        if (item := actor.at(frame))
    ]
    return generator.choice(found)


ASKERS: dict[str, Asker] = {"deed": ask_deed, "half": ask_half, "place": ask_place}


class MiniHow2qa(ChoiceTask):
    """Recipes: each shape or colour stands for something to add, one of them for a shape that does not occur."""

    name = "mini-how2qa"
    prefix = "how2qa: "
    title = "mini-how2qa"
    summary = "A question about a clip with a spoken recipe and four choices; the answer is a choice's label; accuracy."
    decoding: ClassVar[Decoding] = Decoding(choices=CHOICES)

    def ask(self, clip: Clip, generator: random.Random) -> tuple[str, Question]:
        """A question of a kind drawn evenly; the choices are all that the recipe names."""
        foods, recipe = name_actors(clip, FOODS, generator, strangers=len(CHOICES) - len(clip.actors))
        kind = generator.choice(sorted(ASKERS))
        text, actor = ASKERS[kind](clip, generator)
        wrong = [food for food, _ in recipe if food != foods[actor]]
        subtitles = ", ".join(f"{food} for {bearer}" for food, bearer in recipe) + "."
        return subtitles, with_choices(Question(text, foods[actor], kind), wrong, generator)
