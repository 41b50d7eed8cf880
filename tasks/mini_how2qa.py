"""mini-how2qa: subtitles say by its deed, turn or place which shape is taken, the frames show which; four choices."""

from __future__ import annotations

import random
from collections.abc import Callable

from tasks.mini.clip_task import ChoiceTask
from tasks.mini.clip_words import TIMES, VERBS, with_choices
from tasks.mini.clips import Actor, Clip
from tasks.mini.words import Question, place
from tasks.mini.world import COLOURS, SHAPES

Teller = Callable[[Clip, random.Random], tuple[str, Actor]]
CHOICES = 4
TURNS = ("first", "second")


def tell_deed(clip: Clip, generator: random.Random) -> tuple[str, Actor]:
    """The one that does this."""
    actor = generator.choice(clip.actors)
    return f"the one that {VERBS[actor.action]}", actor


def tell_turn(clip: Clip, generator: random.Random) -> tuple[str, Actor]:
    """The one that acts first or second."""
    turn = generator.randrange(len(TURNS))
    return f"the one that acts {TURNS[turn]}", clip.actors[turn]


def tell_place(clip: Clip, generator: random.Random) -> tuple[str, Actor]:
    """The one that is at this place at this time."""
    found = [
        (f"the one at the {place(item)} at the {time}", actor)
        for actor in clip.actors
        for time, frame in TIMES.items()
        if (item := actor.at(frame))
    ]
    return generator.choice(found)


TELLERS: dict[str, Teller] = {"deed": tell_deed, "turn": tell_turn, "place": tell_place}


class MiniHow2qa(ChoiceTask):
    """Instructions to take one of the shapes; the shape or colour that was taken is asked for."""

    name = "mini-how2qa"
    prefix = "how2qa: "
    title = "mini-how2qa"
    summary = "A question about a clip with spoken instructions and four choices, answered in words; accuracy."
    offered = CHOICES

    def ask(self, clip: Clip, generator: random.Random) -> tuple[str, Question]:
        """A question of a kind drawn evenly; the choices are the shapes or colours first seen, and another."""
        kind = generator.choice(sorted(TELLERS))
        told, actor = TELLERS[kind](clip, generator)
        if generator.random() < 0.5:
            text, answer, seen = "which shape is taken?", actor.look.shape, [each.look.shape for each in clip.actors]
            others = [shape for shape in SHAPES if shape not in seen]
        else:
            text, answer, seen = "what colour is taken?", actor.look.colour, [each.look.colour for each in clip.actors]
            others = [colour for colour in COLOURS if colour not in clip.colours]
        wrong = [value for value in seen if value != answer] + generator.sample(others, CHOICES - len(seen))
        return f"take {told}!", with_choices(Question(f"[Q] {text}", answer, kind), wrong, generator)
