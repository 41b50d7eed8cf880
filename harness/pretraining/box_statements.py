"""Statements about boxes, each with a test of whether it is true of any boxes; made here, none is NLVR's."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from harness.pretraining.boxes import COLOURS, SHAPES, WALLS, Box, Boxes, Shape
from tasks.mini.words import a

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven")


@dataclass(frozen=True, slots=True)
class Kind:
    """A description of shapes: any colour, shape or size that is None is not said."""

    colour: str | None = None
    shape: str | None = None
    size: str | None = None

    def holds(self, item: Shape) -> bool:
        """Whether a shape is of this kind."""
        return all(
            wanted in (None, getattr(item, name))
            for name, wanted in (("colour", self.colour), ("shape", self.shape), ("size", self.size))
        )

    def say(self, towers: bool, generator: random.Random, many: bool) -> str:
        """The kind in words: "small blue circles"."""
        noun = self.shape or ("block" if towers else generator.choice(("item", "object")))
        words = [word for word in (self.size, self.colour, noun + ("s" if many else "")) if word]
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class _Amount:
    """How many: "exactly two"."""

    low: int
    high: int | None
    words: str
    many: bool

    @property
    def verb(self) -> str:
        return "are" if self.many else "is"

    def holds(self, count: int) -> bool:
        return self.low <= count and (self.high is None or count <= self.high)


def _amount(generator: random.Random, near: int) -> _Amount:
    """An amount about as large as ``near``, so that both outcomes are common."""
    number = min(max(near + generator.choice((-1, 0, 0, 0, 1)), 1), 7)
    word = generator.choice((NUMBERS[number], str(number)))
    many = number > 1
    return generator.choice(
        (
            _Amount(number, number, f"exactly {word}", many),
            _Amount(number, number, word, many),
            _Amount(number, number, f"only {word}", many),
            _Amount(number, None, f"at least {word}", many),
            _Amount(0, number, f"at most {word}", many),
            _Amount(number + 1, None, f"more than {word}", True),
        )
    )


Statement = tuple[str, Callable[[Boxes], bool]]  # and whether it is true of any boxes


def some_kind(boxes: Boxes, generator: random.Random) -> Kind:
    """A kind of shape, mostly one that is there."""
    item = generator.choice(boxes.items)
    colour = item.colour if generator.random() < 0.85 else generator.choice(COLOURS)
    if boxes.towers:
        return Kind(colour)
    shape = item.shape if generator.random() < 0.85 else generator.choice(SHAPES)
    return generator.choice(
        (
            Kind(colour),
            Kind(colour),
            Kind(None, shape),
            Kind(colour, shape),
            Kind(colour, shape),
            Kind(colour, shape, item.size),
        )
    )


def _container(boxes: Boxes, generator: random.Random) -> str:
    return "tower" if boxes.towers else generator.choice(("box", "box", "grey box"))


def _plural(noun: str) -> str:
    return noun + ("es" if noun.endswith("x") else "s")


def _there(boxes: Boxes, generator: random.Random, test: Callable[[Box], bool], tail: str) -> Statement:
    """How many boxes pass a test: "there is a box with …", "there are exactly two towers with …"."""
    noun = _container(boxes, generator)

    def count(shown: Boxes) -> int:
        return sum(map(test, shown.boxes))

    choice = generator.random()
    if choice < 0.6:
        start = generator.choice(("a", "one", "at least one", "a", "1"))
        return f"there is {start} {noun} {tail}", lambda shown: count(shown) >= 1
    if choice < 0.68:
        return f"there is no {noun} {tail}", lambda shown: count(shown) == 0
    if choice < 0.75:
        return f"{generator.choice(('each', 'every'))} {noun} {_as_verb(tail)}", lambda shown: count(shown) == 3
    amount = _amount(generator, count(boxes) or 1)
    noun = _plural(noun) if amount.many else noun
    return f"there {amount.verb} {amount.words} {noun} {tail}", lambda shown: amount.holds(count(shown))


def _as_verb(tail: str) -> str:
    return f"has {tail.removeprefix('with ').removeprefix('which has ')}"


def _some(kind: Kind, boxes: Boxes, generator: random.Random, count: int) -> tuple[str, Callable[[int], bool]]:
    """An amount of a kind: "a black block", "at least two yellow items"."""
    if generator.random() < 0.4:
        return a(kind.say(boxes.towers, generator, False)), lambda number: number >= 1
    amount = _amount(generator, max(count, 1))
    return f"{amount.words} {kind.say(boxes.towers, generator, amount.many)}", amount.holds


def _near(boxes: Boxes, generator: random.Random, kind: Kind) -> int:
    return sum(kind.holds(item) for item in generator.choice(boxes.boxes))


def _holds_kind(boxes: Boxes, generator: random.Random) -> Statement:
    kind = some_kind(boxes, generator)
    text, enough = _some(kind, boxes, generator, _near(boxes, generator, kind))
    return _there(boxes, generator, lambda box: enough(sum(map(kind.holds, box))), f"with {text}")


def _holds_two_kinds(boxes: Boxes, generator: random.Random) -> Statement:
    one, other = some_kind(boxes, generator), some_kind(boxes, generator)
    first, first_holds = _some(one, boxes, generator, _near(boxes, generator, one))
    second, second_holds = _some(other, boxes, generator, _near(boxes, generator, other))

    def test(box: Box) -> bool:
        return first_holds(sum(map(one.holds, box))) and second_holds(sum(map(other.holds, box)))

    return _there(boxes, generator, test, f"with {first} and {second}")


def _holds_total(boxes: Boxes, generator: random.Random) -> Statement:
    amount = _amount(generator, len(generator.choice(boxes.boxes)))
    noun = Kind().say(boxes.towers, generator, amount.many)
    return _there(boxes, generator, lambda box: amount.holds(len(box)), f"with {amount.words} {noun}")


def _colours(boxes: Boxes, generator: random.Random) -> Statement:
    def shown(box: Box) -> set[str]:
        return {item.colour for item in box}

    noun = "block" if boxes.towers else generator.choice(("item", "object"))
    choice = generator.randrange(3)
    if choice == 0:
        number = generator.choice((1, 2, 2, 3))
        word = generator.choice((NUMBERS[number], str(number)))
        said = f"{noun}s of {word} different colors" if number > 1 else f"{noun}s of the same color"
        return _there(boxes, generator, lambda box: len(shown(box)) == number, f"with {said}")
    if choice == 1:
        colour = generator.choice(COLOURS)
        return _there(boxes, generator, lambda box: shown(box) == {colour}, f"with only {colour} {noun}s")
    pair = generator.sample(COLOURS, 2)
    return _there(boxes, generator, lambda box: shown(box) == set(pair), f"with only {pair[0]} and {pair[1]} {noun}s")


def _in_all(boxes: Boxes, generator: random.Random) -> Statement:
    """A count over all boxes, at times of what touches a wall or a corner."""
    kind = Kind() if generator.random() < 0.15 else some_kind(boxes, generator)
    where, test = touching(boxes, generator) if generator.random() < 0.5 else ("", _anywhere)

    def count(shown: Boxes) -> int:
        return sum(kind.holds(item) and test(item) for item in shown.items)

    if generator.random() < 0.45:
        text = kind.say(boxes.towers, generator, False)
        if generator.random() < 0.1:
            return f"there is no {text}{where}", lambda shown: count(shown) == 0
        return f"there is {a(text)}{where}", lambda shown: count(shown) >= 1
    amount = _amount(generator, max(count(boxes), 1))
    name = kind.say(boxes.towers, generator, amount.many)
    return f"there {amount.verb} {amount.words} {name}{where}", lambda shown: amount.holds(count(shown))


def _anywhere(item: Shape) -> bool:
    return True


def touching(boxes: Boxes, generator: random.Random) -> tuple[str, Callable[[Shape], bool]]:
    """Words such as " touching the edge", and which shapes do."""
    verb = generator.choice((" touching", " closely touching"))
    choice = generator.random()
    if choice < 0.25:
        wall = generator.choice(("bottom",) if boxes.towers else WALLS)
        of = generator.choice(("", " of a box"))
        return f"{verb} the {wall}{generator.choice((' wall', ''))}{of}", lambda item: wall in item.walls
    if choice < 0.4 and not boxes.towers:
        return f"{verb} a corner", lambda item: len(item.walls) >= 2
    place = generator.choice(("the edge", "the wall", "the side", "a wall"))
    if choice < 0.55:
        return f" not{verb} {place.replace('a ', 'any ')}", lambda item: not item.walls
    return f"{verb} {place}", lambda item: bool(item.walls)


def _ends(boxes: Boxes, generator: random.Random) -> Statement:
    """The base or the top of towers."""
    end, index = generator.choice((("base", 0), ("top", -1)))
    colour = generator.choice(boxes.boxes)[index].colour

    def test(box: Box) -> bool:
        return box[index].colour == colour

    choice = generator.randrange(3)
    if choice == 0:
        tails = (f"with a {colour} block at the {end}", f"which has {colour} {end}", f"with {colour} {end}")
        return _there(boxes, generator, test, generator.choice(tails))
    if choice == 1:
        amount = _amount(generator, sum(map(test, boxes.boxes)))
        noun = "blocks" if amount.many else "block"
        text = f"there {amount.verb} {amount.words} {colour} {noun} as the {end} of a tower"
        return text, lambda shown: amount.holds(sum(map(test, shown.boxes)))
    height = len(generator.choice(boxes.boxes))
    said, exact = generator.choice((("exactly ", True), ("", True), ("at least ", False)))
    word = generator.choice((NUMBERS[height], str(height)))
    return _there(
        boxes,
        generator,
        lambda box: test(box) and (len(box) == height or (len(box) > height and not exact)),
        f"with {said}{word} block{'s' if height > 1 else ''} and a {colour} block at the {end}",
    )


def _stacked(boxes: Boxes, generator: random.Random) -> Statement:
    """One block on another, or somewhere above it."""
    upper, lower = generator.choice(COLOURS), generator.choice(COLOURS)

    def on(box: Box) -> bool:
        return any(one.colour == lower and other.colour == upper for one, other in pairwise(box))

    def above(box: Box) -> bool:
        return any(box[i].colour == lower and box[j].colour == upper for j in range(len(box)) for i in range(j))

    word, test = generator.choice((("on", on), ("above", above), ("over", above)))
    text = f"a {upper} block {word} a {lower} block"
    if generator.random() < 0.4:
        return f"there is {text}", lambda shown: any(map(test, shown.boxes))
    return _there(boxes, generator, test, f"with {text}")


_ANYWHERE = (_holds_kind, _holds_kind, _holds_two_kinds, _holds_total, _colours, _in_all, _in_all)
_OF_TOWERS = (*_ANYWHERE, _ends, _ends, _stacked)


def state(boxes: Boxes, generator: random.Random) -> Statement:
    """A statement of which these boxes gave the words; it may be true of them or not."""
    return generator.choice(_OF_TOWERS if boxes.towers else _ANYWHERE)(boxes, generator)
