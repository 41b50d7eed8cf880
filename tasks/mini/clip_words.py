"""How the actors of clips are named, what they do in words, and questions with choices."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from tasks.mini.clips import FRAMES, HALF, Action, Actor
from tasks.mini.words import Question, balanced, place

TIMES = {"start": 0, "end": FRAMES - 1}  # frames
HALVES = (f"(0-{HALF - 1})", f"({HALF}-{FRAMES - 1})")  # time stamps: first and last frame
NOWHERE = "nowhere"
LABELS = ("a0", "a1", "a2", "a3", "a4")
PEOPLE = ("ben", "bill", "jack", "ted", "rose", "anna", "kim", "lily")
FOODS = ("milk", "oil", "rice", "egg", "corn", "ham", "tea", "fish")
VERBS: dict[Action, str] = {
    "move": "moves",
    "leave": "leaves",
    "appear": "appears",
    "recolour": "changes colour",
    "resize": "changes size",
    "stay": "stays",
}


def refer(actor: Actor, generator: random.Random) -> str:
    """Name an actor by its shape or by the colour that it is first seen in: "the star", "the red one"."""
    return generator.choice((f"the {actor.look.shape}", f"the {actor.look.colour} one"))


def where(actor: Actor, frame: int) -> str:
    """Where an actor is in a frame: "top left", or "nowhere"."""
    item = actor.at(frame)
    return place(item) if item else NOWHERE


def fate(actor: Actor) -> str:
    """What an actor does, in a word or two, without its place: "moves", "turns blue", "grows", "stays"."""
    if actor.after and actor.action == "recolour":
        return f"turns {actor.after.colour}"
    if actor.after and actor.action == "resize":
        return "grows" if actor.after.size == "large" else "shrinks"
    return VERBS[actor.action]


def draw_balanced(candidates: Sequence[tuple[str, str]], kind: str, generator: random.Random) -> Question:
    """As `tasks.mini.words.balanced`, from at least one candidate.

    Raises:
        ValueError: there is no candidate.
    """
    if (question := balanced(candidates, kind, generator)) is None:
        raise ValueError(f"nothing to ask of kind {kind}")
    return question


def with_choices(question: Question, wrong: Sequence[str], generator: random.Random) -> Question:
    """The question with its answer among wrong ones in a random order; the answer stays in words.

    Real tasks are answered with a choice's label ("a0"). Which label stands before which words is something that a
    language model as small as the embedded ones does not learn to look up.
    """
    choices = generator.sample([question.answer, *wrong], len(wrong) + 1)
    listed = " ".join(f"{label}: {choice}." for label, choice in zip(LABELS, choices, strict=False))
    return replace(question, text=f"{question.text} [Choices] {listed}")
