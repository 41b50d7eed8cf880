"""What pre-training may learn about clips: accounts, open questions, and to read choices and subtitles.

The tasks' own questions are kept out: they leave to the subtitles which shape of the frames is meant, or to the frames
which name of the subtitles. Here a question is about the frames or about the subtitles, never about both.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from tasks.mini.clip_words import (
    FOODS,
    LABELS,
    NOWHERE,
    PEOPLE,
    TIMES,
    VERBS,
    draw_balanced,
    fate,
    name_actors,
    refer,
    where,
    with_choices,
)
from tasks.mini.clips import Clip
from tasks.mini.words import Question, place
from tasks.mini.world import COLOURS, SHAPES, SIDE, SIZES, Item

ClipAsker = Callable[[Clip, random.Random], Question]
PLACES = tuple(place(Item(row, column, "", "", "")) for row in range(SIDE) for column in range(SIDE))
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
    """Which shape does something?"""
    found = [
        (f"which shape {VERBS[actor.action]}?", f"{actor.look.colour} {actor.look.shape}") for actor in clip.actors
    ]
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


def offer_choices(question: Question, generator: random.Random) -> Question | None:
    """A question about a scene or clip with choices of the answer's kind; None where the answer has no such kind.

    To answer with the label of a choice takes a small model far more examples to learn than a task has.
    """
    family = next((family for family in _FAMILIES if question.answer in family), None)
    if family is None:
        return None
    others = [other for other in family if other != question.answer]
    wrong = generator.sample(others, min(len(others), len(LABELS) - 1))
    return with_choices(question, wrong, generator)


def ask_name(clip: Clip, generator: random.Random) -> Question:
    """Who or what has this shape or colour? Subtitles tell, the frames do not; in words or with choices."""
    names, verb, word = generator.choice(((PEOPLE, "is", "who"), (FOODS, "for", "what")))
    _, pairs = name_actors(clip, names, generator, strangers=generator.randrange(2))
    name, bearer = generator.choice(pairs)
    told = ", ".join(f"{other} {verb} {its}" for other, its in pairs)
    question = Question(f"[Subs] {told}. [Q] {word} {verb} {bearer}?", name, "clip name")
    if generator.random() < 0.5:
        return question
    wrong = [other for other, _ in pairs if other != name]
    return replace(with_choices(question, wrong, generator), kind="clip name choose")
