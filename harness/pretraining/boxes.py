"""Pictures of three grey boxes with towers of blocks or loose shapes, and statements about them.

In the manner of NLVR (Suhr et al. 2017): pictures and statements are generated here, none is NLVR's. No embedded task
asks about boxes; the task nlvr does, with sentences of people.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from PIL import Image, ImageDraw

from tasks.mini.words import Question, a

SIDE = 100  # pixels of a box
COLOURS = ("yellow", "black", "blue")
SHAPES = ("square", "circle", "triangle")
SIZES = {"small": 10, "medium": 20, "large": 30}  # pixels
_INK = {"yellow": (255, 255, 0), "black": (0, 0, 0), "blue": (0, 153, 255)}
_GROUND, _BETWEEN = (211, 211, 211), (128, 128, 128)
_TOWER_LEFT, _BLOCK, _STEP = 40, 20, 21  # pixels: where towers stand, how large blocks are, from one to the next
_TALLEST = 4
_MOST = 7  # loose shapes in a box
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven")
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
    reach = {
        "x": (one.x, SIZES[one.size], other.x, SIZES[other.size]),
        "y": (one.y, SIZES[one.size], other.y, SIZES[other.size]),
    }
    return all(a < b + b_size and b < a + a_size for a, a_size, b, b_size in reach.values())


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


@dataclass(frozen=True, slots=True)
class _Kind:
    """A description of shapes: any colour, shape or size that is None is not said."""

    colour: str | None = None
    shape: str | None = None
    size: str | None = None

    def holds(self, item: Shape) -> bool:
        return all(
            wanted in (None, getattr(item, name))
            for name, wanted in (("colour", self.colour), ("shape", self.shape), ("size", self.size))
        )

    def say(self, towers: bool, generator: random.Random, many: bool) -> str:
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


def _kind(boxes: Boxes, generator: random.Random) -> _Kind:
    """A kind of shape, mostly one that is there."""
    item = generator.choice([each for box in boxes.boxes for each in box])
    colour = item.colour if generator.random() < 0.85 else generator.choice(COLOURS)
    if boxes.towers:
        return _Kind(colour)
    shape = item.shape if generator.random() < 0.85 else generator.choice(SHAPES)
    return generator.choice(
        (
            _Kind(colour),
            _Kind(colour),
            _Kind(None, shape),
            _Kind(colour, shape),
            _Kind(colour, shape),
            _Kind(colour, shape, item.size),
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


def _some(kind: _Kind, boxes: Boxes, generator: random.Random, count: int) -> tuple[str, Callable[[int], bool]]:
    """An amount of a kind: "a black block", "at least two yellow items"."""
    if generator.random() < 0.4:
        return a(kind.say(boxes.towers, generator, False)), lambda number: number >= 1
    amount = _amount(generator, max(count, 1))
    return f"{amount.words} {kind.say(boxes.towers, generator, amount.many)}", amount.holds


def _near(boxes: Boxes, generator: random.Random, kind: _Kind) -> int:
    return sum(kind.holds(item) for item in generator.choice(boxes.boxes))


def _holds_kind(boxes: Boxes, generator: random.Random) -> Statement:
    kind = _kind(boxes, generator)
    text, enough = _some(kind, boxes, generator, _near(boxes, generator, kind))
    return _there(boxes, generator, lambda box: enough(sum(map(kind.holds, box))), f"with {text}")


def _holds_two_kinds(boxes: Boxes, generator: random.Random) -> Statement:
    one, other = _kind(boxes, generator), _kind(boxes, generator)
    first, first_holds = _some(one, boxes, generator, _near(boxes, generator, one))
    second, second_holds = _some(other, boxes, generator, _near(boxes, generator, other))

    def test(box: Box) -> bool:
        return first_holds(sum(map(one.holds, box))) and second_holds(sum(map(other.holds, box)))

    return _there(boxes, generator, test, f"with {first} and {second}")


def _holds_total(boxes: Boxes, generator: random.Random) -> Statement:
    amount = _amount(generator, len(generator.choice(boxes.boxes)))
    noun = _Kind().say(boxes.towers, generator, amount.many)
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
    kind = _Kind() if generator.random() < 0.15 else _kind(boxes, generator)
    where, test = _touching(boxes, generator) if generator.random() < 0.5 else ("", _anywhere)

    def count(shown: Boxes) -> int:
        return sum(kind.holds(item) and test(item) for box in shown.boxes for item in box)

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


def _touching(boxes: Boxes, generator: random.Random) -> tuple[str, Callable[[Shape], bool]]:
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


def judge(things: Sequence[Boxes], generator: random.Random) -> list[tuple[int, Question]]:
    """As many judgements as things: which of them is shown, and whether a statement is true of it.

    As in NLVR, the same statement is true of one picture as likely as it is false of another, so its words say nothing.
    """
    made: list[tuple[int, Question]] = []
    while len(made) < len(things):
        inspiration = things[len(made)]
        text, test = state(inspiration, generator)
        candidates = [i for i, each in enumerate(things) if each.towers == inspiration.towers and each != inspiration]
        sides = {truth: [i for i in candidates if test(things[i]) == truth] for truth in (True, False)}
        if sides[True] and sides[False]:
            truth = generator.random() < 0.5
            answer = "true" if truth else "false"
            made.append((generator.choice(sides[truth]), Question(f"match: {text}", answer, "boxes match")))
    return made


def tell(boxes: Boxes, generator: random.Random) -> Question:
    """Every box: "black black blue, yellow, ..." from the base up, or how many of each colour and shape."""
    return Question("describe: boxes", "; ".join(_told(box, boxes.towers) for box in boxes.boxes), "boxes describe")


def _told(box: Box, tower: bool) -> str:
    if tower:
        return f"tower {' '.join(item.colour for item in box)}"
    counts: dict[str, int] = {}
    for item in sorted(box, key=lambda item: (item.colour, item.shape)):
        name = f"{item.colour} {item.shape}"
        counts[name] = counts.get(name, 0) + 1
    return ", ".join(f"{number} {name}" for name, number in counts.items())


def count(boxes: Boxes, generator: random.Random) -> Question:
    """How many of a kind are there, in a box, in all or at a wall?"""
    kind = _kind(boxes, generator)
    name = kind.say(boxes.towers, generator, True)
    choice = generator.randrange(4)
    items = [item for box in boxes.boxes for item in box]
    if choice == 0:
        number = sum(map(kind.holds, items))
        return Question(f"vqa: how many {name} are there?", str(number), "boxes count")
    if choice == 1:
        where, test = _touching(boxes, generator)
        number = sum(kind.holds(item) and test(item) for item in items)
        return Question(f"vqa: how many {name} are{where}?", str(number), "boxes count")
    if choice == 2:
        number = sum(any(map(kind.holds, box)) for box in boxes.boxes)
        return Question(f"vqa: how many boxes have {name}?", str(number), "boxes count")
    index = generator.randrange(3)
    number = sum(map(kind.holds, boxes.boxes[index]))
    return Question(
        f"vqa: how many {name} are in the {('left', 'right', 'bottom')[index]} box?", str(number), "boxes count"
    )
