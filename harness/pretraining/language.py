"""What the embedded language models learn to read and write before any task.

Kept out, so that there is something to tune: counting and variety questions, all relational questions, all statements
about two images, and the captions' styles. The tokenizer's vocabulary alone knows their words.
"""

from __future__ import annotations

import random

from tasks.mini.words import Asker, Question, ask, place
from tasks.mini.world import Item, Scene
from tasks.mini_vqa import ASKERS

KINDS: dict[str, Asker] = {kind: ASKERS[kind] for kind in ("colour", "shape", "size", "place", "presence")}


def _phrase(item: Item) -> str:
    return f"{item.size} {item.colour} {item.shape} {place(item)}"


def describe(scene: Scene) -> str:
    """Every item with its place, in reading order: "large red circle top left, small blue star centre"."""
    return ", ".join(_phrase(item) for item in scene.items)


def answer(scene: Scene, generator: random.Random) -> Question:
    """An open question of a kind that pre-training may see."""
    return ask(scene, generator, KINDS)


def look_up(scene: Scene, generator: random.Random) -> Question:
    """What stands at a place, or nothing."""
    item = generator.choice(scene.items)
    if generator.random() < 0.75:
        return Question(
            f"what is at the {place(item)}?",
            f"{item.size} {item.colour} {item.shape}",
            "look up",
        )
    taken = {place(other) for other in scene.items}
    free = [place(Item(row, column, "", "", "")) for row in range(3) for column in range(3)]
    empty = [where for where in free if where not in taken]
    return Question(f"what is at the {generator.choice(empty)}?", "nothing", "look up")


def hide(text: str, generator: random.Random) -> str:
    """Replace about a fifth of the words by <mask>, at least one."""
    words = text.split(" ")
    hidden = {i for i in range(len(words)) if generator.random() < 0.2} or {generator.randrange(len(words))}
    return " ".join("<mask>" if i in hidden else word for i, word in enumerate(words))
