"""Everyday views: dogs and people in grass, snow, water, streets, painted coarsely, in the manner of photos.

They are generated here, no photo was used. No embedded task shows views; photos of the real suites are a little like
them: ground and sky have a photo's colours and grain, and whoever is there stands out from them.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tasks.mini.drawing import PIXELS

Colour = tuple[int, int, int]

PLACES: Mapping[str, tuple[tuple[Colour, ...], tuple[Colour, ...]]] = {
    # place: colours of the ground, and of what is behind it
    "grass": (((96, 140, 52), (120, 156, 70), (70, 110, 44)), ((52, 84, 40), (140, 180, 220), (150, 150, 140))),
    "snow": (((236, 240, 246), (214, 222, 234), (246, 246, 246)), ((90, 140, 210), (206, 212, 220), (70, 80, 80))),
    "beach": (((206, 184, 144), (186, 164, 128), (222, 206, 176)), ((70, 120, 160), (150, 190, 220), (190, 200, 206))),
    "water": (((60, 110, 150), (84, 130, 140), (40, 80, 120)), ((70, 130, 170), (180, 200, 214), (60, 90, 80))),
    "street": (((130, 130, 132), (104, 104, 110), (160, 156, 150)), ((140, 100, 84), (170, 170, 176), (90, 90, 100))),
    "rock": (((134, 116, 98), (110, 104, 100), (160, 140, 116)), ((150, 132, 112), (120, 160, 210), (126, 112, 100))),
    "dirt": (((140, 104, 70), (120, 90, 62), (160, 130, 94)), ((60, 80, 44), (110, 120, 90), (160, 180, 200))),
    "room": (((150, 110, 76), (120, 90, 80), (176, 160, 140)), ((200, 184, 156), (160, 120, 100), (90, 80, 90))),
}
COATS: Mapping[str, tuple[Colour, ...]] = {
    "brown": ((116, 76, 44),),
    "black": ((28, 26, 26),),
    "white": ((232, 230, 224),),
    "tan": ((196, 160, 106),),
    "black and white": ((28, 26, 26), (232, 230, 224)),
    "brown and white": ((120, 80, 46), (232, 230, 224)),
}
CLOTHES: Mapping[str, Colour] = {
    "red": (196, 36, 40),
    "blue": (44, 76, 170),
    "white": (232, 232, 232),
    "black": (30, 30, 34),
    "green": (50, 130, 70),
    "yellow": (232, 204, 60),
    "pink": (230, 130, 160),
    "orange": (232, 120, 40),
}
PEOPLE = ("man", "woman", "boy", "girl")
_TROUSERS = ((40, 50, 90), (30, 30, 30), (120, 110, 90), (90, 90, 96))
_SKIN = ((226, 180, 150), (198, 146, 112), (120, 80, 56), (240, 204, 176))
_HAIR = ((40, 28, 20), (90, 60, 30), (190, 150, 80))
_DARK, _PALE, _WOOD = (34, 34, 36), (236, 236, 230), (110, 80, 50)


@dataclass(frozen=True, slots=True)
class Doing:
    """Something that is done: who does it, where, how it is said, and what is seen beside those who do it."""

    who: str  # "dog" or "people"
    places: tuple[str, ...]
    said: tuple[str, ...]  # as a participle
    moving: bool = False  # said with where it leads ("through the grass") or where it is ("in the grass")
    prop: str = ""


_OPEN = ("grass", "snow", "beach", "dirt")
DOINGS: tuple[Doing, ...] = (
    Doing("dog", (*_OPEN, "water"), ("running",), moving=True),
    Doing("dog", (*_OPEN, "street"), ("walking",), moving=True),
    Doing("dog", (*_OPEN, "rock", "room"), ("standing", "sitting")),
    Doing("dog", (*_OPEN, "water"), ("playing", "jumping")),
    Doing("dog", ("water",), ("swimming",)),
    Doing("dog", (*_OPEN, "water"), ("carrying a ball", "playing with a ball"), prop="ball"),
    Doing("dog", (*_OPEN, "water"), ("carrying a stick", "holding a stick in its mouth"), prop="stick"),
    Doing("dog", ("grass", "beach", "snow"), ("catching a frisbee", "jumping for a frisbee"), prop="frisbee"),
    Doing("people", (*_OPEN, "street", "rock", "room"), ("standing", "posing for a picture")),
    Doing("people", (*_OPEN, "street"), ("walking",), moving=True),
    Doing("people", ("grass", "beach", "street"), ("running",), moving=True),
    Doing("people", (*_OPEN, "water", "room"), ("playing", "jumping")),
    Doing("people", ("grass", "beach", "street", "rock", "room"), ("sitting",)),
    Doing("people", ("water",), ("swimming", "playing")),
    Doing("people", ("water",), ("surfing", "riding a wave"), prop="board"),
    Doing("people", ("snow",), ("skiing", "snowboarding"), moving=True, prop="skis"),
    Doing("people", ("rock",), ("climbing",), moving=True),
    Doing("people", ("street", "dirt", "grass"), ("riding a bike", "riding a bicycle"), moving=True, prop="wheels"),
    Doing("people", ("dirt",), ("riding a motorcycle", "riding a dirt bike"), moving=True, prop="motor"),
    Doing("people", ("street",), ("riding a skateboard", "doing a trick on a skateboard"), prop="skateboard"),
    Doing("people", ("grass", "dirt"), ("playing soccer", "kicking a ball", "playing baseball"), prop="ball"),
)


@dataclass(frozen=True, slots=True)
class Being:
    """A dog with its coat, or a person with the colour of the clothes."""

    kind: str
    colour: str


@dataclass(frozen=True, slots=True)
class View:
    """Who does what where; ``code`` decides how it looks."""

    place: str
    doing: Doing
    beings: tuple[Being, ...]
    code: int


def sample(generator: random.Random) -> View:
    """Draw a view."""
    place = generator.choice(tuple(PLACES))
    doing = generator.choice([doing for doing in DOINGS if place in doing.places])
    count = generator.choices((1, 2, 3), (70, 22, 8))[0]
    if doing.who == "dog":
        beings = [Being("dog", generator.choice(tuple(COATS))) for _ in range(count)]
    else:
        beings = [Being(generator.choice(PEOPLE), generator.choice(tuple(CLOTHES))) for _ in range(count)]
    return View(place, doing, tuple(beings), generator.getrandbits(32))


def draw(view: View) -> Image.Image:
    """The picture of a view, 144 × 144 pixels, mode RGB; the same view always gives the same pixels."""
    generator = random.Random(view.code)
    noise = np.random.default_rng(view.code)
    horizon = int(PIXELS * (generator.uniform(0.1, 0.65) if view.place != "rock" else generator.uniform(0, 0.3)))
    ground, behind = (generator.choice(colours) for colours in PLACES[view.place])
    canvas = np.empty((PIXELS, PIXELS, 3), dtype=np.float32)
    canvas[:horizon], canvas[horizon:] = behind, ground
    canvas *= np.linspace(generator.uniform(0.85, 1.1), generator.uniform(0.85, 1.1), PIXELS)[:, None, None]
    for cells, strength in ((6, 14), (24, 12), (72, 10)):  # patches of light and shade, then grain
        grain = noise.normal(0, strength, (cells, cells, 1)).astype(np.float32)
        canvas += grain.repeat(PIXELS // cells, 0).repeat(PIXELS // cells, 1)
    image = Image.fromarray(canvas.clip(0, 255).astype(np.uint8))
    _draw_beings(_Brush(image), view, generator)
    light = generator.uniform(0.75, 1.2)
    tint = [light * generator.uniform(0.94, 1.06) for _ in "rgb"]
    shaded = np.asarray(image.filter(ImageFilter.GaussianBlur(generator.uniform(0, 1.2))), dtype=np.float32)
    return Image.fromarray((shaded * tint + noise.normal(0, 5, shaded.shape)).clip(0, 255).astype(np.uint8))


def _draw_beings(brush: _Brush, view: View, generator: random.Random) -> None:
    """Paint all who are there side by side, with what they use."""
    count = len(view.beings)
    height = PIXELS * generator.uniform(0.35, 0.85) / count**0.35
    legs = view.doing.said[0] not in ("swimming", "sitting")  # else they are not seen
    for number, being in enumerate(view.beings):
        x = PIXELS * (number + generator.uniform(0.35, 0.65)) / count
        feet = PIXELS * generator.uniform(0.7, 0.97)
        size = height * generator.uniform(0.85, 1.15) * (0.75 if being.kind in ("boy", "girl", "dog") else 1)
        if being.kind == "dog":
            at = _draw_dog(brush, COATS[being.colour], legs, x, feet, size, generator)
        else:
            at = _draw_person(brush, being, legs, x, feet, size, generator)
        paint = generator.choice(tuple(CLOTHES.values()))
        _draw_prop(brush, view.doing.prop, at, x, feet, size, paint)


class _Brush:
    """Paints ovals and bars into a picture."""

    def __init__(self, image: Image.Image) -> None:
        self._pen = ImageDraw.Draw(image)

    def oval(self, x: float, y: float, across: float, down: float, paint: Colour) -> None:
        """Filled, around (x, y)."""
        self._pen.ellipse((x - across, y - down, x + across, y + down), fill=paint)

    def ring(self, x: float, y: float, radius: float, width: float, paint: Colour) -> None:
        """A circle's line."""
        self._pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=paint, width=max(2, int(width)))

    def bar(self, x: float, y: float, to_x: float, to_y: float, width: float, paint: Colour) -> None:
        """A line from (x, y)."""
        self._pen.line((x, y, to_x, to_y), fill=paint, width=max(2, int(width)))

    def block(self, left: float, top: float, right: float, bottom: float, paint: Colour) -> None:
        """A filled rectangle."""
        self._pen.rectangle((left, top, right, bottom), fill=paint)


def _draw_dog(
    brush: _Brush, coat: tuple[Colour, ...], legs: bool, x: float, feet: float, size: float, generator: random.Random
) -> tuple[float, float]:
    """Paint a dog of a length whose feet stand at (x, feet); return where its mouth is."""
    side = generator.choice((-1, 1))  # where it looks
    back = feet - size * (0.6 if legs else 0.35)
    for leg in (-0.4, -0.28, 0.28, 0.4) if legs else ():
        brush.bar(x + leg * size, back, x + (leg + generator.uniform(-0.1, 0.1)) * size, feet, 0.08 * size, coat[-1])
    brush.oval(x, back, 0.5 * size, 0.2 * size, coat[0])
    if len(coat) > 1:
        brush.oval(x + side * 0.2 * size, back + 0.06 * size, 0.2 * size, 0.14 * size, coat[1])
    brush.oval(x + side * 0.55 * size, back - 0.2 * size, 0.17 * size, 0.14 * size, coat[0])
    brush.bar(x - side * 0.48 * size, back, x - side * 0.65 * size, back - 0.25 * size, 0.08 * size, coat[0])
    return x + side * 0.72 * size, back - 0.12 * size


def _draw_person(
    brush: _Brush, being: Being, legs: bool, x: float, feet: float, size: float, generator: random.Random
) -> tuple[float, float]:
    """Paint a person of a height whose feet stand at (x, feet); return where a ball before the feet would be."""
    side = generator.choice((-1, 1))
    skin, trousers, hair = generator.choice(_SKIN), generator.choice(_TROUSERS), generator.choice(_HAIR)
    clothes = CLOTHES[being.colour]
    hips = feet - size * (0.45 if legs else 0.1)
    top, face = hips - 0.48 * size, (0.1 if size > 60 else 0.13) * size
    for leg in (-0.08, 0.08) if legs else ():
        step = leg * generator.uniform(0.6, 2.6)
        brush.bar(x + leg * size, hips, x + step * size, feet, 0.11 * size, trousers)
    if being.kind in ("woman", "girl"):
        brush.block(x - 0.12 * size, top - 0.1 * size, x + 0.12 * size, hips - 0.22 * size, hair)
    brush.block(x - 0.15 * size, hips - 0.38 * size, x + 0.15 * size, hips, clothes)
    for arm in (-1, 1):
        reach = arm * generator.uniform(0.2, 0.4) * size, generator.uniform(-0.05, 0.45) * size
        brush.bar(x + arm * 0.14 * size, hips - 0.34 * size, x + reach[0], hips - reach[1], 0.08 * size, clothes)
    brush.oval(x, top, face, face * 1.15, hair)
    brush.oval(x + side * 0.02 * size, top + 0.03 * size, face * 0.9, face * 0.9, skin)
    return x + side * 0.4 * size, feet - 0.06 * size


def _draw_prop(
    brush: _Brush, prop: str, at: tuple[float, float], x: float, feet: float, size: float, paint: Colour
) -> None:
    """Paint what is used beside whoever stands at (x, feet), or ``at`` mouth or feet."""
    if prop == "ball":
        brush.oval(*at, 0.08 * size, 0.08 * size, paint)
    elif prop == "stick":
        brush.bar(at[0] - 0.25 * size, at[1] + 0.05 * size, at[0] + 0.25 * size, at[1], 0.08 * size, _WOOD)
    elif prop == "frisbee":
        brush.oval(at[0], at[1] - 0.1 * size, 0.14 * size, 0.05 * size, paint)
    elif prop == "board":
        brush.oval(x, feet, 0.5 * size, 0.07 * size, _PALE)
    elif prop == "skis":
        for ski in (-0.07, 0.07):
            brush.bar(x - 0.35 * size, feet + ski * size, x + 0.35 * size, feet + ski * size - 2, 0.05 * size, paint)
    elif prop == "skateboard":
        brush.bar(x - 0.3 * size, feet, x + 0.3 * size, feet, 0.08 * size, _DARK)
    elif prop in ("wheels", "motor"):
        radius, rim = 0.2 * size, (0.03 if prop == "wheels" else 0.09) * size
        for wheel in (-0.28, 0.28):
            brush.ring(x + wheel * size, feet - radius, radius, rim, _DARK)
        if prop == "motor":
            brush.oval(x, feet - 1.7 * radius, 0.3 * size, 0.12 * size, paint)
