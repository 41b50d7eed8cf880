"""What pre-training may learn about clips: accounts, and open questions, some with choices.

The tasks' own questions are kept out: they leave to the subtitles which shape of the frames is meant.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from tasks.mini.clip_words import (
    LABELS,
    NOWHERE,
    TIMES,
    VERBS,
    draw_balanced,
    fate,
    refer,
    where,
    with_choices,
)
from tasks.mini.clips import Clip
from tasks.mini.words import PLACES, Question, place
from tasks.mini.world import COLOURS, SHAPES, SIZES, Item

ClipAsker = Callable[[Clip, random.Random], Question]
_FAMILIES = (COLOURS, SHAPES, SIZES, (*PLACES, NOWHERE), ("moves", "leaves", "appears", "grows", "shrinks", "stays"))


def describe_clip(clip: Clip) -> str:
    """The start in reading order, then both actions: "small red star top left, ..., then star moves top right, ..."."""
    told = [f"{_look(item)} {place(item)}" for item in clip.frame(0).items]
    for actor in clip.actors:
        name = actor.look.shape if actor.before else _look(actor.look)
        goal = f" {place(actor.after)}" if actor.after and actor.action in ("move", "appear") else ""
        if actor.action != "stay":
            told.append(f"then {name} {fate(actor)}{goal}")
    return ", ".join(told)


def _look(item: Item) -> str:
    return f"{item.size} {item.colour} {item.shape}"


def ask_fate(clip: Clip, generator: random.Random) -> Question:
    """What happens to a shape?"""
    found = [(f"what happens to {refer(actor, generator)}?", fate(actor)) for actor in clip.actors]
    return draw_balanced(found, "clip fate", generator)


def ask_actor(clip: Clip, generator: random.Random) -> Question:
    """Which shape does something, or what colour has it?"""
    if generator.random() < 0.5:
        found = [(f"which shape {VERBS[actor.action]}?", actor.look.shape) for actor in clip.actors]
    else:
        found = [(f"what colour is the one that {VERBS[actor.action]}?", actor.look.colour) for actor in clip.actors]
    return draw_balanced(found, "clip actor", generator)


def ask_where(clip: Clip, generator: random.Random) -> Question:
    """Where is a shape at the start or at the end?"""
    found = [
        (f"where is {refer(actor, generator)} at the {time}?", where(actor, frame))
        for actor in clip.actors
        for time, frame in TIMES.items()
    ]
    return draw_balanced(found, "clip place", generator)


CLIP_ASKERS: dict[str, ClipAsker] = {"clip fate": ask_fate, "clip actor": ask_actor, "clip place": ask_where}


def offer_choices(question: Question, generator: random.Random) -> Question:
    """A question about a scene or clip with choices of its answer's kind; as it is where the answer has no kind."""
    family = next((family for family in _FAMILIES if question.answer in family), None)
    if family is None:
        return question
    others = [other for other in family if other != question.answer]
    wrong = generator.sample(others, min(len(others), len(LABELS) - 1))
    return with_choices(question, wrong, generator)
