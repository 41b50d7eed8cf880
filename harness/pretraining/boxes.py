"""Pictures of three grey boxes with towers of blocks or loose shapes, in the manner of NLVR (Suhr et al. 2017).

They are generated here, none is NLVR's. No embedded task shows boxes; the task nlvr does.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from PIL import Image, ImageDraw

SIDE = 100  # pixels of a box
COLOURS = ("yellow", "black", "blue")
SHAPES = ("square", "circle", "triangle")
SIZES = {"small": 10, "medium": 20, "large": 30}  # pixels
_INK = {"yellow": (255, 255, 0), "black": (0, 0, 0), "blue": (0, 153, 255)}
_GROUND, _BETWEEN = (211, 211, 211), (128, 128, 128)
_TOWER_LEFT, _BLOCK, _STEP = 40, 20, 21  # pixels: where towers stand, how large blocks are, from one to the next
_TALLEST = 4
_MOST = 7  # loose shapes in a box
WALLS = ("left", "right", "top", "bottom")


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape of a box; x and y are its left and upper edge in pixels."""

    x: int
    y: int
    size: str
    colour: str
    shape: str

    @property
    def walls(self) -> frozenset[str]:
        """The walls of the box that it touches."""
        far = SIDE - SIZES[self.size]
        ends = {"left": self.x == 0, "right": self.x == far, "top": self.y == 0, "bottom": self.y == far}
        return frozenset(name for name, touched in ends.items() if touched)


Box = tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Boxes:
    """Three boxes: towers, whose blocks are told from the base up, or loose shapes."""

    boxes: tuple[Box, ...]
    towers: bool

    @property
    def items(self) -> list[Shape]:
        """All shapes, box by box."""
        return [item for box in self.boxes for item in box]


def sample(generator: random.Random) -> Boxes:
    """Draw three boxes."""
    towers = generator.random() < 0.5
    return Boxes(tuple((_tower if towers else _loose)(generator) for _ in range(3)), towers)


def _tower(generator: random.Random) -> Box:
    base = SIDE - _BLOCK
    return tuple(
        Shape(_TOWER_LEFT, base - level * _STEP, "medium", generator.choice(COLOURS), "square")
        for level in range(generator.randint(1, _TALLEST))
    )


def _loose(generator: random.Random) -> Box:
    wanted = generator.randint(1, _MOST)
    chosen: list[Shape] = []
    while len(chosen) < wanted:
        size = generator.choice(tuple(SIZES))
        far = SIDE - SIZES[size]
        # An eighth of the shapes touches each wall: at random places almost none would.
        x, y = (
            generator.choice((0, far)) if generator.random() < 0.25 else generator.randint(1, far - 1) for _ in "xy"
        )
        shape = Shape(x, y, size, generator.choice(COLOURS), generator.choice(SHAPES))
        if not any(_overlap(shape, other) for other in chosen):
            chosen.append(shape)
    return tuple(chosen)


def _overlap(one: Shape, other: Shape) -> bool:
    size, other_size = SIZES[one.size], SIZES[other.size]
    across = one.x < other.x + other_size and other.x < one.x + size
    return across and one.y < other.y + other_size and other.y < one.y + size


def draw(boxes: Boxes) -> Image.Image:
    """The picture of three boxes side by side, 400 × 100 pixels, mode RGB."""
    image = Image.new("RGB", (4 * SIDE, SIDE), _BETWEEN)
    pen = ImageDraw.Draw(image)
    for number, box in enumerate(boxes.boxes):
        left = number * 3 * SIDE // 2
        pen.rectangle((left, 0, left + SIDE - 1, SIDE - 1), fill=_GROUND)
        for shape in box:
            x, y, size = left + shape.x, shape.y, SIZES[shape.size] - 1
            ink = _INK[shape.colour]
            if shape.shape == "square":
                pen.rectangle((x, y, x + size, y + size), fill=ink)
            elif shape.shape == "circle":
                pen.ellipse((x, y, x + size, y + size), fill=ink)
            else:
                pen.polygon([(x + size / 2, y), (x + size, y + size), (x, y + size)], fill=ink)
    return image
