"""Scenes: two to six shapes with colour, size and place on a 3 × 3 grid. A scene's code is its image id.

The part of the world that a scene belongs to is decided by a digest of its code, so no scene can occur in two
splits, nor in both pre-training and a task.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import Literal, Protocol

VERSION = "2"  # changes whenever the same seed gives other scenes or pictures; words are in each task's fingerprint

SHAPES = ("circle", "square", "triangle", "star", "cross", "diamond")
COLOURS = ("red", "green", "blue", "yellow", "purple", "orange", "black", "white")
SIZES = ("small", "large")
SIDE = 3  # rows and columns of the grid
FEWEST, MOST = 2, 6  # shapes in a scene

Part = Literal["train", "validation", "test", "pretraining"]
_SHARES: tuple[tuple[Part, int], ...] = (
    ("test", 2),
    ("validation", 1),
    ("train", 6),
    ("pretraining", 7),
)  # of 16


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """One shape; row 0 is the top, column 0 the left."""

    row: int
    column: int
    size: str
    colour: str
    shape: str


@dataclass(frozen=True, slots=True)
class Scene:
    """Items in reading order, at most one in a cell of the grid."""

    items: tuple[Item, ...]

    @property
    def code(self) -> str:
        """Four letters per item: cell, size, colour, shape."""
        return "".join(
            f"{item.row * SIDE + item.column}{SIZES.index(item.size)}"
            f"{COLOURS.index(item.colour)}{SHAPES.index(item.shape)}"
            for item in self.items
        )

    @classmethod
    def parse(cls, code: str) -> Scene:
        """Read a scene back from its code.

        Raises:
            ValueError: this is not the code of a scene.
        """
        try:
            quads = [[int(letter) for letter in code[i : i + 4]] for i in range(0, len(code), 4)]
            items = tuple(
                Item(*divmod(cell, SIDE), SIZES[size], COLOURS[colour], SHAPES[shape])
                for cell, size, colour, shape in quads
            )
        except (ValueError, IndexError, TypeError) as error:
            raise ValueError(f"{code!r} is not the code of a scene") from error
        scene = cls(items)
        if scene.code != code or not items or any(item.row >= SIDE for item in items):
            raise ValueError(f"{code!r} is not the code of a scene")
        return scene


class Coded(Protocol):
    """Anything that a code describes wholly: a scene, a clip."""

    @property
    def code(self) -> str:
        """The code."""


def part_of(thing: Coded) -> Part:
    """The one part of the world that a scene or clip belongs to."""
    place = int.from_bytes(hashlib.sha256(thing.code.encode()).digest()[:4], "big") % 16
    for part, share in _SHARES:
        if place < share:
            return part
        place -= share
    raise AssertionError("shares add up to 16")


def _can_be_told_apart(scene: Scene) -> bool:
    """At least two items have no double: relations can be asked for."""
    looks = [(item.size, item.colour, item.shape) for item in scene.items]
    return sum(looks.count(look) == 1 for look in looks) >= 2


def sample(generator: random.Random, part: Part) -> Scene:
    """Draw scenes until one belongs to the part."""
    while True:
        cells = generator.sample(range(SIDE * SIDE), generator.randint(FEWEST, MOST))
        # Few colours and shapes a scene: otherwise almost every description would name one item by its colour alone.
        colours = generator.sample(COLOURS, 3)
        shapes = generator.sample(SHAPES, 3)
        items = (
            Item(
                *divmod(cell, SIDE),
                generator.choice(SIZES),
                generator.choice(colours),
                generator.choice(shapes),
            )
            for cell in cells
        )
        scene = Scene(tuple(sorted(items)))
        if _can_be_told_apart(scene) and part_of(scene) == part:
            return scene


def pool(part: Part, count: int) -> list[Scene]:
    """The first ``count`` scenes of a part; a longer pool begins with the shorter one. No scene occurs twice."""
    generator = random.Random(f"mini world {VERSION}/{part}")
    scenes: dict[str, Scene] = {}
    while len(scenes) < count:
        scene = sample(generator, part)
        scenes.setdefault(scene.code, scene)
    return list(scenes.values())
