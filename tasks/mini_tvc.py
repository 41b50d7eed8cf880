"""mini-tvc: tell what happens in one half of a clip; subtitles say what the one who acts is called; CIDEr."""

from __future__ import annotations

import random

from tasks.mini.clip_task import CaptionTask
from tasks.mini.clip_words import HALVES, PEOPLE
from tasks.mini.clips import Actor, Clip
from tasks.mini.words import place


def deeds(actor: Actor) -> tuple[str, str]:
    """Two ways to tell what an actor does.

    Raises:
        KeyError: it stays.
    """
    seen, last = actor.look, actor.after or actor.look
    here, there = f"the {place(seen)}", f"the {place(last)}"
    return {
        "move": (f"moves to {there}", f"goes from {here} to {there}"),
        "leave": (f"leaves {here}", f"goes away from {here}"),
        "appear": (f"appears at {there}", f"comes to {there}"),
        "recolour": (f"turns {last.colour} at {there}", f"turns from {seen.colour} to {last.colour}"),
        "resize": (f"gets {last.size} at {there}", f"turns from {seen.size} to {last.size}"),
    }[actor.action]


class MiniTvc(CaptionTask):
    """Captions of one moment; who acts is seen, the name is heard."""

    name = "mini-tvc"
    prefix = "tvc: "
    title = "mini-tvc"
    summary = "Tell what happens in one half of a clip with subtitles; five references; CIDEr."

    def tell(self, clip: Clip, generator: random.Random) -> tuple[str, str, tuple[str, ...]]:
        """A name, the half, and five captions."""
        name = generator.choice(PEOPLE)
        half = generator.randrange(len(HALVES))
        actor = clip.actors[half]
        seen, (one, other) = actor.look, deeds(actor)
        captions = (
            f"{name} {one}",
            f"{name} {other}",
            f"{name} the {seen.shape} {one}",
            f"the {seen.colour} {seen.shape} {name} {other}",
            f"the {seen.shape} called {name} {one}",
        )
        return f"look at {name}!", f"[TS] {HALVES[half]}", captions
