"""Exercises about views: a caption as people write them under photos, and the gaps of one filled."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping

from harness.pretraining.language import fill
from harness.pretraining.views import View
from tasks.mini.words import Question, a

WHERE: Mapping[str, tuple[str, ...]] = {
    "grass": ("in the grass", "on the grass", "in a field", "in a grassy field", "in the park", "on a green lawn"),
    "snow": ("in the snow", "on a snowy hill", "on the snow"),
    "beach": ("on the beach", "on the sand", "near the ocean", "at the beach"),
    "water": ("in the water", "in a pool", "in the ocean", "in a lake"),
    "street": ("on the street", "on the sidewalk", "on a city street", "in front of a building", "outside"),
    "rock": ("on a rock", "on some rocks", "on a mountain", "on a rocky cliff"),
    "dirt": ("in the dirt", "on a dirt road", "in the woods", "on a dirt path"),
    "room": ("in a room", "on a couch", "on the floor", "at a table", "inside"),
}
WHITHER: Mapping[str, tuple[str, ...]] = {
    "grass": ("through the grass", "across a field", "through a grassy field", "across the grass"),
    "snow": ("through the snow", "down a snowy hill", "across the snow", "down a snowy mountain"),
    "beach": ("along the beach", "on the beach", "across the sand"),
    "water": ("through the water", "in the water"),
    "street": ("down the street", "along the sidewalk", "on a city street", "down a sidewalk"),
    "rock": ("up a rock wall", "up a cliff", "a rock wall", "up a mountain"),
    "dirt": ("down a dirt road", "through the woods", "on a dirt track", "along a dirt path"),
}
_YOUNG = {"boy": ("boy", "young boy", "little boy", "child"), "girl": ("girl", "young girl", "little girl", "child")}
_PLURALS = {"dog": "dogs", "man": "men", "woman": "women", "boy": "boys", "girl": "girls"}
_NUMBERS = {2: "two", 3: "three"}


def caption_view(view: View, generator: random.Random) -> Question:
    """A caption, asked for as the tasks do."""
    return Question("caption: ", sentence(view, generator), "view caption")


def complete_view(view: View, generator: random.Random) -> Question:
    """Fill the gaps of a caption of the picture."""
    return fill(sentence(view, generator), generator, "view complete")


def sentence(view: View, generator: random.Random) -> str:
    """A caption: "two brown dogs are running through the snow ."."""
    where = generator.choice((WHITHER if view.doing.moving else WHERE)[view.place])
    doing = generator.choice(view.doing.said)
    verb = "is " if len(view.beings) == 1 else "are "
    return f"{_subject(view, generator)} {verb if generator.random() < 0.6 else ''}{doing} {where} ."


def _subject(view: View, generator: random.Random) -> str:
    kinds = Counter(being.kind for being in view.beings)
    colours = {being.colour for being in view.beings}
    if len(view.beings) == 1:
        return _one(view.beings[0].kind, view.beings[0].colour, generator)
    if len(view.beings) == 2 and generator.random() < 0.3 and len(colours) == 2:
        return " and ".join(_one(being.kind, being.colour, generator) for being in view.beings)
    many = _NUMBERS[len(view.beings)]
    if view.doing.who == "people" and len(view.beings) == 3 and generator.random() < 0.5:
        return generator.choice(("a group of people", "several people"))
    if len(kinds) > 1:
        return f"{many} {'children' if set(kinds) == {'boy', 'girl'} else 'people'}"
    name = _PLURALS[next(iter(kinds))]
    same = next(iter(colours)) if len(colours) == 1 and view.doing.who == "dog" else ""
    return f"{many} {same} {name}" if same else f"{many} {name}"


def _one(kind: str, colour: str, generator: random.Random) -> str:
    if kind == "dog":
        return a(f"{colour} dog") if generator.random() < 0.85 else "a dog"
    name = generator.choice(_YOUNG.get(kind, (kind,)))
    choice = generator.random()
    if choice < 0.5:
        return f"{a(name)} in {a(colour)} {generator.choice(('shirt', 'shirt', 'jacket'))}"
    return f"{a(name)} wearing {a(colour)} shirt" if choice < 0.65 else a(name)
