"""What the embedded language models learn to read and write before any task.

Kept out, so that there is something to tune: answers to counting and variety questions and to all relational questions,
the truth of statements about two images, and captioning. Their sentences are seen as text with gaps, never with an
answer or with the picture they are about: a language model knows the words of its language before it is tuned.
"""

from __future__ import annotations

import random

from tasks.mini.words import Asker, Question, ask, place
from tasks.mini.world import COLOURS, SHAPES, Item, Scene
from tasks.mini_caption import STYLES
from tasks.mini_gqa import ASKERS as RELATIONAL
from tasks.mini_nlvr import STATEMENTS
from tasks.mini_vqa import ASKERS

ANSWER_WORDS = (
    *("yes", "no", "true", "false", "left", "right", "above", "below", "top", "bottom", "centre", "middle"),
    *("0", "1", "2", "3", "4", "5", "6", "small", "little", "large", "big", *COLOURS, "violet", *SHAPES, "rhombus"),
)
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


def sentence(scene: Scene, generator: random.Random) -> str:
    """A question, statement or caption without any answer, or a list of words that answers may use."""
    choice = generator.randrange(5)
    if choice == 0:
        return ask(scene, generator, ASKERS).text
    if choice == 1:
        return ask(scene, generator, RELATIONAL).text
    if choice == 2:
        return STATEMENTS[generator.choice(sorted(STATEMENTS))](generator)[0]
    if choice == 3:
        return generator.choice(STYLES)(scene, generator)
    return " ".join(generator.sample(ANSWER_WORDS, 6))


def hide(text: str, generator: random.Random) -> str:
    """Replace about a fifth of the words by <mask>, at least one."""
    words = text.split(" ")
    hidden = {i for i in range(len(words)) if generator.random() < 0.2} or {generator.randrange(len(words))}
    return " ".join("<mask>" if i in hidden else word for i, word in enumerate(words))
