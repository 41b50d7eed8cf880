"""mini-tvqa: subtitles say which shape is meant and when to look, the frames show the rest; five choices."""

from __future__ import annotations

import random
from collections.abc import Callable

from tasks.mini.clip_task import ChoiceTask
from tasks.mini.clip_words import LABELS, NOWHERE, PEOPLE, TIMES, VERBS, draw_balanced, fate, refer, where, with_choices
from tasks.mini.clips import ACTIONS, CORNERS, Clip
from tasks.mini.words import Question, place
from tasks.mini.world import COLOURS, Item

Asker = Callable[[Clip, random.Random], tuple[str, Question]]
PLACES = (*(place(Item(row, column, "", "", "")) for row, column in CORNERS), NOWHERE)
_STAYS = 0.25  # chance to ask for the shape that stays, which is always among the choices


def ask_place(clip: Clip, generator: random.Random) -> tuple[str, Question]:
    """Where is the shape meant at the time meant?"""
    found = [
        (f"watch {refer(actor, generator)} at the {time}!", where(actor, frame))
        for actor in clip.actors
        for time, frame in TIMES.items()
    ]
    chosen = draw_balanced(found, "place", generator)
    return _offer(chosen, "where is it?", [other for other in PLACES if other != chosen.answer], generator)


def ask_colour(clip: Clip, generator: random.Random) -> tuple[str, Question]:
    """Which colour has the shape meant at the time meant? The clip's other colours are among the choices."""
    found = [
        (f"watch the {item.shape} at the {time}!", item.colour)
        for actor in clip.actors
        for time, frame in TIMES.items()
        if (item := actor.at(frame))
    ]
    chosen = draw_balanced(found, "colour", generator)
    seen = [colour for colour in clip.colours if colour != chosen.answer]
    unseen = [colour for colour in COLOURS if colour not in clip.colours]
    wrong = (seen + generator.sample(unseen, len(unseen)))[: len(LABELS) - 1]
    return _offer(chosen, "what colour is it?", wrong, generator)


def ask_fate(clip: Clip, generator: random.Random) -> tuple[str, Question]:
    """What does the shape meant do? What the other shapes do is among the choices."""
    *acting, staying = clip.actors
    actor = staying if generator.random() < _STAYS else generator.choice(acting)
    chosen = Question(f"watch {refer(actor, generator)}!", fate(actor), "fate")
    unseen = [colour for colour in COLOURS if colour not in clip.colours]
    fates = {**VERBS, "recolour": f"turns {generator.choice(unseen)}", "resize": generator.choice(("grows", "shrinks"))}
    absent = [action for action in ACTIONS if action not in {each.action for each in acting}]
    wrong = [fate(other) for other in clip.actors if other != actor]
    wrong += [fates[action] for action in generator.sample(absent, len(LABELS) - len(clip.actors))]
    return _offer(chosen, "what does it do?", wrong, generator)


def _offer(chosen: Question, text: str, wrong: list[str], generator: random.Random) -> tuple[str, Question]:
    """Subtitles made of the chosen text, and a question that leaves to them what it is about."""
    question = Question(f"[Q] {text}", chosen.answer, chosen.kind)
    return f"{generator.choice(PEOPLE)}: {chosen.text}", with_choices(question, wrong, generator)


ASKERS: tuple[Asker, ...] = (ask_place, ask_colour, ask_fate)


class MiniTvqa(ChoiceTask):
    """Questions about "it": who that is and when to look is said, what it does is seen."""

    name = "mini-tvqa"
    prefix = "tvqa: "
    title = "mini-tvqa"
    summary = "A question about a clip with subtitles and five choices, answered in words; accuracy."
    offered = len(LABELS)

    def ask(self, clip: Clip, generator: random.Random) -> tuple[str, Question]:
        """A question of a kind drawn evenly."""
        return generator.choice(ASKERS)(clip, generator)
