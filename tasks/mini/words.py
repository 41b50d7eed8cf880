"""How items are named: descriptions that fit one, several or no items of a scene."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tasks.mini.world import SIDE, Item, Scene

ROWS = ("top", "middle", "bottom")
COLUMNS = ("left", "centre", "right")
SIZE_WORDS = {"small": ("small", "little"), "large": ("large", "big")}
THINGS = ("shape", "object", "thing")
NUMBERS = ("no", "one", "two", "three", "four", "five", "six")


@dataclass(frozen=True, slots=True)
class Description:
    """A size, colour and shape, each of which may be left open."""

    size: str | None = None
    colour: str | None = None
    shape: str | None = None

    def fits(self, item: Item) -> bool:
        """Whether the item is one of those described."""
        return (
            self.size in (None, item.size) and self.colour in (None, item.colour) and self.shape in (None, item.shape)
        )

    def among(self, scene: Scene) -> list[Item]:
        """The items of the scene that fit."""
        return [item for item in scene.items if self.fits(item)]

    def say(self, generator: random.Random, plural: bool = False) -> str:
        """The description in words, without an article; sizes and the word for "shape" vary."""
        words = [generator.choice(SIZE_WORDS[self.size])] if self.size else []
        words += [self.colour] if self.colour else []
        noun = self.shape or generator.choice(THINGS)
        if plural:
            noun += "es" if noun == "cross" else "s"
        return " ".join([*words, noun])


@dataclass(frozen=True, slots=True)
class Question:
    """A question or statement about one scene or more, its true answer, and which kind of question it is."""

    text: str
    answer: str
    kind: str


def a(phrase: str) -> str:
    """The phrase with its indefinite article."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def descriptions(item: Item, without: str | None = None) -> list[Description]:
    """All descriptions of an item by shape, colour, size and their combinations, leaving one attribute open."""
    combinations = [
        ("shape",),
        ("colour",),
        ("colour", "shape"),
        ("size", "shape"),
        ("size", "colour"),
        ("size", "colour", "shape"),
    ]
    return [
        Description(**{name: getattr(item, name) for name in names}) for names in combinations if without not in names
    ]


def unique(scene: Scene, item: Item, without: str | None = None) -> list[Description]:
    """The descriptions that fit this item and no other of the scene."""
    return [each for each in descriptions(item, without) if len(each.among(scene)) == 1]


def absent(scene: Scene, generator: random.Random) -> Description | None:
    """A description that fits nothing, made of attributes that do occur: not to be told from the words alone."""
    for _ in range(20):
        one, other = generator.choice(scene.items), generator.choice(scene.items)
        mixed = Description(colour=one.colour, shape=other.shape)
        if generator.random() < 0.4:
            mixed = Description(
                size=generator.choice((one.size, "small", "large")), colour=one.colour, shape=other.shape
            )
        if not mixed.among(scene):
            return mixed
    return None


def place(item: Item) -> str:
    """Where an item is, such as "top left", "centre" or "right"."""
    row, column = ROWS[item.row], COLUMNS[item.column]
    if row == "middle":
        return column
    return row if column == "centre" else f"{row} {column}"


PLACES = tuple(place(Item(row, column, "", "", "")) for row in range(SIDE) for column in range(SIDE))


def balanced(candidates: Sequence[tuple[str, str]], kind: str, generator: random.Random) -> Question | None:
    """Choose an answer first, each with the same chance, then one of its (text, answer) candidates."""
    if not candidates:
        return None
    answer = generator.choice(sorted({answer for _, answer in candidates}))
    text = generator.choice([text for text, other in candidates if other == answer])
    return Question(text, answer, kind)


Asker = Callable[[Scene, random.Random], Question | None]


def ask(scene: Scene, generator: random.Random, askers: dict[str, Asker]) -> Question:
    """Ask one question of a kind drawn evenly; kinds that this scene does not allow are drawn again.

    Raises:
        ValueError: no kind allows a question about this scene.
    """
    kinds = sorted(askers)
    generator.shuffle(kinds)
    for kind in kinds:
        question = askers[kind](scene, generator)
        if question is not None:
            return question
    raise ValueError(f"no question fits the scene {scene.code}")
