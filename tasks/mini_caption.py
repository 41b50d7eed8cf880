"""mini-caption: describe a scene; five references of different style; CIDEr."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import ClassVar

from tasks.base import Example, Role, Scored
from tasks.metrics.cider import METRIC, cider
from tasks.mini.task import CAPTION_DECODING, MiniTask, scenes
from tasks.mini.words import NUMBERS, Description, a, place
from tasks.mini.world import Item, Scene


def _name(item: Item, generator: random.Random) -> str:
    size = item.size if generator.random() < 0.4 else None
    return a(Description(size, item.colour, item.shape).say(generator))


def _nearest_pair(scene: Scene) -> tuple[Item, Item]:
    """The two items that captions speak of: the nearest to each other, in reading order."""
    pairs = [(one, other) for one in scene.items for other in scene.items if one < other]
    return min(pairs, key=lambda p: (abs(p[0].row - p[1].row) + abs(p[0].column - p[1].column), p))


def _relation(one: Item, other: Item) -> str:
    if one.row == other.row:
        return "to the left of" if one.column < other.column else "to the right of"
    return "above" if one.row < other.row else "below"


def _where(item: Item) -> str:
    words = place(item)
    return f"in the {words}" if words == "centre" else f"at the {words}"


def _related(one: Item, other: Item, generator: random.Random) -> str:
    return f"{_name(one, generator)} {_relation(one, other)} {_name(other, generator)}"


def _tell_relation(scene: Scene, generator: random.Random) -> str:
    return _related(*_nearest_pair(scene), generator)


def _tell_converse(scene: Scene, generator: random.Random) -> str:
    one, other = _nearest_pair(scene)
    return _related(other, one, generator)


def _tell_list(scene: Scene, generator: random.Random) -> str:
    names = [_name(item, generator) for item in scene.items[:3]]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _tell_places(scene: Scene, generator: random.Random) -> str:
    one, other = _nearest_pair(scene)
    return f"{_name(one, generator)} {_where(one)} and {_name(other, generator)} {_where(other)}"


def _tell_number(scene: Scene, generator: random.Random) -> str:
    one, other = _nearest_pair(scene)
    noun = generator.choice(("shapes", "objects"))
    return f"{NUMBERS[len(scene.items)]} {noun} with {_name(one, generator)} and {_name(other, generator)}"


def _tell_neighbour(scene: Scene, generator: random.Random) -> str:
    one, other = _nearest_pair(scene)
    return f"{_name(one, generator)} with {_name(other, generator)} {_relation(other, one)} it"


def _tell_presence(scene: Scene, generator: random.Random) -> str:
    return f"there is {_tell_relation(scene, generator)} in the picture"


Style = Callable[[Scene, random.Random], str]
PLAIN: dict[str, Style] = {"list": _tell_list, "places": _tell_places}  # for pre-training; no reference is so written
STYLES: dict[str, Style] = {
    "relation": _tell_relation,
    "converse": _tell_converse,
    "number": _tell_number,
    "neighbour": _tell_neighbour,
    "presence": _tell_presence,
}


class MiniCaption(MiniTask):
    """Short captions; every reference tells other things of the scene, as people do."""

    name = "mini-caption"
    prefix = "caption: "
    title = "mini-caption"
    summary = "Describe one scene; five references; CIDEr."
    metric = METRIC
    decoding = CAPTION_DECODING
    loss = "token"
    text_limit = 40
    target_limit = 40
    counts: ClassVar = {"train": 1500, "select": 150, "report": 300}

    def examples(self, role: Role) -> Sequence[Example]:
        """One example per scene; one of its five captions is drawn at each reading."""
        made = []
        for index in range(self.counts[role]):
            scene = scenes(role)[index % len(scenes(role))]
            generator = self.generator(role, index)
            captions = tuple(style(scene, generator) for style in STYLES.values())
            weights = (1.0,) * len(captions)
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
