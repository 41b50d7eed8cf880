"""Clips: three shapes in the corners of the grid, of which two act, one after the other, and one stays.

The actions are different, and no two shapes share a shape or a colour: a shape, a colour or an action names one of the
three. A clip's code is its id; a digest of the code decides the part of the world that the clip belongs to.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Literal

from tasks.mini.world import COLOURS, SHAPES, SIDE, SIZES, VERSION, Item, Part, Scene, part_of

FRAMES = 16
HALF = FRAMES // 2  # the first action begins and ends in the first half, the second in the second
CORNERS = tuple((row, column) for row in (0, SIDE - 1) for column in (0, SIDE - 1))
TRANSIT = 2  # frames that a moving shape spends half-way
STEADY = 3  # first frames and last frames in which nobody acts
_BEGINNINGS = (
    range(STEADY, STEADY + 3),
    range(HALF + 1, HALF + 4),
)  # frames at which the first and the second action may begin
_ITEM, _NOTHING = 4, "----"  # letters of an item in a code, and what stands for none
_ACTOR = 2 * _ITEM + 1  # letters of an actor: before, after, frame

Action = Literal["move", "leave", "appear", "recolour", "resize", "stay"]
ACTIONS: tuple[Action, ...] = ("move", "leave", "appear", "recolour", "resize")


@dataclass(frozen=True, slots=True)
class Actor:
    """One shape of a clip: what it is before its action and after; the same if it stays."""

    before: Item | None  # None: it is not there yet
    after: Item | None  # None: it is no longer there
    frame: int  # the first frame that shows the action; 0 if it stays

    @property
    def look(self) -> Item:
        """The shape as it is first seen.

        Raises:
            ValueError: it is never seen.
        """
        if (item := self.before or self.after) is None:
            raise ValueError("an actor must be seen before or after its action")
        return item

    @property
    def action(self) -> Action:
        """What it does."""
        if self.before is None:
            return "appear"
        if self.after is None:
            return "leave"
        if (self.before.row, self.before.column) != (self.after.row, self.after.column):
            return "move"
        if self.before.colour != self.after.colour:
            return "recolour"
        return "resize" if self.before.size != self.after.size else "stay"

    @property
    def code(self) -> str:
        """Nine letters: the item before, the item after, the frame."""
        items = (Scene((item,)).code if item else _NOTHING for item in (self.before, self.after))
        return "".join((*items, f"{self.frame:x}"))

    @classmethod
    def parse(cls, code: str) -> Actor:
        """Read an actor back from its code.

        Raises:
            ValueError: this is not the code of an actor.
        """
        parts = code[:_ITEM], code[_ITEM : 2 * _ITEM]
        before, after = (None if part == _NOTHING else Scene.parse(part).items[0] for part in parts)
        if before is None and after is None:
            raise ValueError("an actor must be seen before or after its action")
        return cls(before, after, int(code[2 * _ITEM :], 16))

    def at(self, frame: int) -> Item | None:
        """The shape in one frame; a moving shape is half-way between its corners for `TRANSIT` frames."""
        if frame < self.frame:
            return self.before
        if self.before and self.after and self.action == "move" and frame < self.frame + TRANSIT:
            row, column = (self.before.row + self.after.row) // 2, (self.before.column + self.after.column) // 2
            return replace(self.before, row=row, column=column)
        return self.after


@dataclass(frozen=True, slots=True)
class Clip:
    """Three actors: who acts first, who acts second, who stays."""

    actors: tuple[Actor, ...]

    @property
    def colours(self) -> list[str]:
        """All colours that are seen, each once."""
        items = [item for actor in self.actors for item in (actor.before, actor.after) if item]
        return list(dict.fromkeys(item.colour for item in items))

    @property
    def code(self) -> str:
        """The codes of the actors."""
        return "".join(actor.code for actor in self.actors)

    @classmethod
    def parse(cls, code: str) -> Clip:
        """Read a clip back from its code.

        Raises:
            ValueError: this is not the code of a clip.
        """
        try:
            clip = cls(tuple(Actor.parse(code[i : i + _ACTOR]) for i in range(0, len(code), _ACTOR)))
            if len(clip.actors) != 3 or clip.code != code:
                raise ValueError("these are not three actors")
        except ValueError as error:
            raise ValueError(f"{code!r} is not the code of a clip") from error
        return clip

    def frame(self, number: int) -> Scene:
        """What one frame shows."""
        return Scene(tuple(sorted(item for actor in self.actors if (item := actor.at(number)) is not None)))

    def frames(self) -> tuple[Scene, ...]:
        """What each of the `FRAMES` frames shows."""
        return tuple(self.frame(number) for number in range(FRAMES))


def sample(generator: random.Random, part: Part) -> Clip:
    """Draw clips until one belongs to the part."""
    while True:
        clip = _draw(generator)
        if part_of(clip) == part:
            return clip


def pool(part: Part, count: int) -> list[Clip]:
    """The first ``count`` clips of a part; a longer pool begins with the shorter one. No clip occurs twice."""
    generator = random.Random(f"mini clips {VERSION}/{part}")
    clips: dict[str, Clip] = {}
    while len(clips) < count:
        clip = sample(generator, part)
        clips.setdefault(clip.code, clip)
    return list(clips.values())


def _draw(generator: random.Random) -> Clip:
    """Any clip, of whatever part."""
    *colours, new_colour = generator.sample(COLOURS, 4)
    looks = [
        Item(*corner, generator.choice(SIZES), colour, shape)
        for corner, colour, shape in zip(
            generator.sample(CORNERS, 3), colours, generator.sample(SHAPES, 3), strict=True
        )
    ]
    actions = generator.sample(ACTIONS, 2)
    taken = {
        (look.row, look.column) for look, action in zip(looks, (*actions, "stay"), strict=True) if action != "appear"
    }
    actors = []
    for look, action, beginnings in zip(looks, actions, _BEGINNINGS, strict=False):
        free = generator.choice([corner for corner in CORNERS if corner not in taken])
        actor = _act(look, action, free, new_colour, generator.choice(beginnings))
        taken -= {(item.row, item.column) for item in (actor.before,) if item}
        taken |= {(item.row, item.column) for item in (actor.after,) if item}
        actors.append(actor)
    return Clip((*actors, Actor(looks[2], looks[2], 0)))


def _act(look: Item, action: Action, free: tuple[int, int], new_colour: str, frame: int) -> Actor:
    """A shape that acts, given a free corner and a colour that the clip does not show."""
    row, column = free
    moved = replace(look, row=row, column=column)
    other_size = SIZES[1 - SIZES.index(look.size)]
    results: dict[Action, tuple[Item | None, Item | None]] = {
        "move": (look, moved),
        "leave": (look, None),
        "appear": (None, moved),
        "recolour": (look, replace(look, colour=new_colour)),
        "resize": (look, replace(look, size=other_size)),
    }
    return Actor(*results[action], frame)
