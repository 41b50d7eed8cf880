"""mini-yc2c: tell a clip as instructions; subtitles say what is used; CIDEr."""

from __future__ import annotations

import random

from tasks.mini.clip_task import CaptionTask
from tasks.mini.clip_words import FOODS
from tasks.mini.clips import Actor, Clip
from tasks.mini.words import place


def orders(actor: Actor, food: str) -> tuple[str, str]:
    """Two ways to ask for what an actor does.

    Raises:
        KeyError: it stays.
    """
    seen, last = actor.look, actor.after or actor.look
    here, there = f"the {place(seen)}", f"the {place(last)}"
    return {
        "move": (f"move the {food} to {there}", f"take the {food} from {here} to {there}"),
        "leave": (f"take the {food} away from {here}", f"take away the {food} at {here}"),
        "appear": (f"put the {food} at {there}", f"add the {food} at {there}"),
        "recolour": (f"paint the {food} {last.colour}", f"make the {seen.colour} {food} {last.colour}"),
        "resize": (f"make the {food} {last.size}", f"make the {seen.size} {food} {last.size}"),
    }[actor.action]


class MiniYc2c(CaptionTask):
    """Instructions for both actions; what to do is seen, what with is heard."""

    name = "mini-yc2c"
    prefix = "yc2c: "
    title = "mini-yc2c"
    summary = "Tell a clip with subtitles as instructions; four references; CIDEr."

    def tell(self, clip: Clip, generator: random.Random) -> tuple[str, str, tuple[str, ...]]:
        """What is used first and second, no further text, and four captions."""
        foods = generator.sample(FOODS, 2)
        first, second = (orders(actor, food) for actor, food in zip(clip.actors, foods, strict=False))
        captions = (
            f"{first[0]}, then {second[0]}",
            f"{first[1]}, then {second[1]}",
            f"first {first[0]}, then {second[1]}",
            f"{first[1]} and {second[0]}",
        )
        return f"first the {foods[0]}, then the {foods[1]}.", "", captions
