"""Draws a scene with Pillow: 144 × 144 pixels, 48 to a grid cell.

An item stands in one of its cell's four quarters, decided by the scene itself with a small jitter. A quarter is as
large as a patch of mini-clip, so an item lies mostly within one patch: a small encoder learns its shape in minutes.
"""

from __future__ import annotations

import math
import random

from PIL import Image, ImageDraw

from tasks.mini.world import SIDE, Item, Scene

PIXELS = 144
_CELL = PIXELS // SIDE
_FINER = 2  # drawn this much larger, then reduced: smooth edges
_RADIUS = {"small": 6.5, "large": 11.5}  # pixels
_QUARTERS = (0.25, 0.75)  # of a cell, where an item's centre may be
_JITTER = 1.5  # pixels, either way
_BACKGROUNDS = ((168, 172, 178), (178, 170, 162), (160, 174, 166))
_INK = {
    "red": (208, 36, 42),
    "green": (36, 146, 64),
    "blue": (38, 84, 204),
    "yellow": (244, 212, 42),
    "purple": (134, 54, 170),
    "orange": (240, 128, 24),
    "black": (24, 24, 26),
    "white": (250, 250, 248),
}

Point = tuple[float, float]


def draw(scene: Scene, seed: str = "") -> Image.Image:
    """Return the picture of a scene, mode RGB; the same scene and seed always give the same pixels.

    Scenes of one seed have one background, and what does not change from one to the other has one place: frames of a
    clip. Without a seed the scene's code is the seed.
    """
    seed = seed or scene.code
    size = PIXELS * _FINER
    image = Image.new("RGB", (size, size), random.Random(seed).choice(_BACKGROUNDS))
    pen = ImageDraw.Draw(image)
    for item in scene.items:
        generator = random.Random(f"{seed}/{item.row}{item.column}{item.shape}")
        centre = tuple(
            ((place + generator.choice(_QUARTERS)) * _CELL + generator.uniform(-_JITTER, _JITTER)) * _FINER
            for place in (item.column, item.row)
        )
        _draw_item(pen, item, centre[0], centre[1], _RADIUS[item.size] * generator.uniform(0.92, 1.08) * _FINER)
    return image.resize((PIXELS, PIXELS), Image.Resampling.BOX)


def _draw_item(pen: ImageDraw.ImageDraw, item: Item, x: float, y: float, radius: float) -> None:
    ink = _INK[item.colour]
    if item.shape == "circle":
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)
    else:
        pen.polygon([(x + radius * across, y + radius * down) for across, down in _OUTLINES[item.shape]], fill=ink)


def _around(radii: tuple[float, ...], turn: float = -0.5) -> list[Point]:
    """Points at the given radii, evenly spaced in angle from the top."""
    angles = [math.pi * (turn + 2 * i / len(radii)) for i in range(len(radii))]
    return [(r * math.cos(a), r * math.sin(a)) for r, a in zip(radii, angles, strict=True)]


_ARM = 0.34  # half the width of the cross's arms
_OUTLINES: dict[str, list[Point]] = {
    "square": [(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)],
    "triangle": [(0, -1), (0.98, 0.82), (-0.98, 0.82)],
    "star": _around((1.08, 0.44) * 5),
    "cross": [
        (-_ARM, -1), (_ARM, -1), (_ARM, -_ARM), (1, -_ARM), (1, _ARM), (_ARM, _ARM),
        (_ARM, 1), (-_ARM, 1), (-_ARM, _ARM), (-1, _ARM), (-1, -_ARM), (-_ARM, -_ARM),
    ],
    "diamond": [(0, -1.05), (0.72, 0), (0, 1.05), (-0.72, 0)],
}  # fmt: skip
