"""mini-caption: describe a scene; five references of different style; CIDEr."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import ClassVar

from tasks.base import Decoding, Example, Role, Scored
from tasks.metrics.cider import METRIC, cider
from tasks.mini.task import MiniTask, scenes
from tasks.mini.words import NUMBERS, Description, a, place
from tasks.mini.world import Item, Scene

REFERENCES = 5


def _name(item: Item, generator: random.Random) -> str:
    return Description(item.size if generator.random() < 0.4 else None, item.colour, item.shape).say(generator)


def _nearest_pair(scene: Scene) -> tuple[Item, Item]:
    """The two items that a caption speaks of first: the nearest to each other, in reading order."""
    pairs = [(one, other) for one in scene.items for other in scene.items if one < other]
    return min(pairs, key=lambda p: (abs(p[0].row - p[1].row) + abs(p[0].column - p[1].column), p))


def _relation(one: Item, other: Item) -> str:
    if one.row == other.row:
        return "to the left of" if one.column < other.column else "to the right of"
    return "above" if one.row < other.row else "below"


def _tell_relation(scene: Scene, generator: random.Random) -> str:
    one, other = _nearest_pair(scene)
    if generator.random() < 0.5:
        one, other = other, one
    return f"{a(_name(one, generator))} {_relation(one, other)} {a(_name(other, generator))}"


def _tell_number(scene: Scene, generator: random.Random) -> str:
    noun = generator.choice(("shapes", "objects"))
    one = _largest(scene)
    return f"there are {NUMBERS[len(scene.items)]} {noun}, one of them is {a(_name(one, generator))}"


def _tell_place(scene: Scene, generator: random.Random) -> str:
    item = _largest(scene)
    words = place(item)
    where = f"in the {words}" if words == "centre" else f"at the {words}"
    others = len(scene.items) - 1
    return f"{a(_name(item, generator))} {where} with {NUMBERS[others]} other shape{'s' if others > 1 else ''}"


def _tell_list(scene: Scene, generator: random.Random) -> str:
    names = [a(_name(item, generator)) for item in scene.items[:3]]
    rest = len(scene.items) - 3
    if rest > 0:
        names.append(f"{NUMBERS[rest]} more")
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _tell_common(scene: Scene, generator: random.Random) -> str:
    counts: dict[str, int] = {}
    for item in scene.items:
        counts[item.colour] = counts.get(item.colour, 0) + 1
    colour, number = max(counts.items(), key=lambda pair: (pair[1], pair[0]))
    noun = generator.choice(("shape", "object")) + ("s" if number > 1 else "")
    item = _nearest_pair(scene)[0]
    return f"{NUMBERS[number]} {colour} {noun} and {a(_name(item, generator))} in a picture"


def _largest(scene: Scene) -> Item:
    """The item that catches the eye: the first large one, else the first."""
    return next((item for item in scene.items if item.size == "large"), scene.items[0])


STYLES = (_tell_relation, _tell_number, _tell_place, _tell_list, _tell_common)


class MiniCaption(MiniTask):
    """Short captions; every reference tells other things of the scene, as people do."""

    name = "mini-caption"
    prefix = "caption: "
    title = "mini-caption"
    summary = "Describe one scene; five references; CIDEr."
    metric = METRIC
    decoding = Decoding(beams=5, max_length=30)
    loss = "token"
    text_limit = 40
    target_limit = 40
    counts: ClassVar = {"train": 2400, "select": 150, "report": 300}

    def examples(self, role: Role) -> Sequence[Example]:
        """One example per scene; one of its five captions is drawn at each reading."""
        made = []
        for index in range(self.counts[role]):
            scene = scenes(role)[index % len(scenes(role))]
            generator = self.generator(role, index)
            captions = tuple(style(scene, generator) for style in STYLES)
            weights = (1.0,) * REFERENCES
            made.append(
                Example(
                    f"{index}",
                    "",
                    (scene.code,),
                    captions,
                    weights,
                    captions,
                    cluster=scene.code,
                    kind="caption",
                )
            )
        return made

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        """CIDEr-D with document frequencies of the scored references."""
        return Scored(*cider(predictions, [example.references for example in examples]))
