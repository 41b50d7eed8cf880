"""mini-gqa: compositional questions about relations in one scene, exact match."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import permutations, product
from typing import ClassVar

from tasks.base import Example, Role, Scored
from tasks.metrics.exact import METRIC, exact
from tasks.mini.task import ANSWER_DECODING, MiniTask, scenes
from tasks.mini.words import Asker, Description, Question, a, ask, balanced, unique
from tasks.mini.world import SIZES, Item, Scene

Relation = Callable[[Item, Item], bool]
RELATIONS: dict[str, tuple[tuple[str, ...], Relation]] = {
    "left": (("to the left of", "left of"), lambda one, other: one.column < other.column),
    "right": (("to the right of", "right of"), lambda one, other: one.column > other.column),
    "above": (("above", "higher than"), lambda one, other: one.row < other.row),
    "below": (("below", "lower than"), lambda one, other: one.row > other.row),
}
EXTREMES: dict[str, Callable[[Item], int]] = {
    "leftmost": lambda item: item.column,
    "rightmost": lambda item: -item.column,
    "highest": lambda item: item.row,
    "lowest": lambda item: -item.row,
}


def _named(scene: Scene, generator: random.Random, without: str | None = None) -> list[tuple[Item, str]]:
    """Every item that can be named without doubt, with one of its names; one attribute may be left out."""
    named = []
    for item in scene.items:
        options = unique(scene, item, without)
        if options:
            named.append((item, generator.choice(options).say(generator)))
    return named


def _only(scene: Scene, relation: str, other: Item, wanted: Description) -> Item | None:
    """The one item that fits and stands in the relation to the other, if there is exactly one."""
    holds = RELATIONS[relation][1]
    found = [item for item in wanted.among(scene) if item != other and holds(item, other)]
    return found[0] if len(found) == 1 else None


def ask_related(scene: Scene, generator: random.Random) -> Question | None:
    """Ask for the colour, shape or size of the one item in a relation to a named item."""
    found = []
    attribute = generator.choice(("colour", "shape", "size"))
    for other, name in _named(scene, generator):
        for relation, (words, _) in RELATIONS.items():
            for wanted in (Description(), *_single_attributes(scene, without=attribute)):
                item = _only(scene, relation, other, wanted)
                if item is not None:
                    where = f"{wanted.say(generator)} {generator.choice(words)} the {name}"
                    found.append((f"what {attribute} is the {where}?", getattr(item, attribute)))
    return balanced(found, f"related {attribute}", generator)


def ask_two_steps(scene: Scene, generator: random.Random) -> Question | None:
    """Ask for an attribute of the item related to the item that is related to a named item."""
    found = []
    attribute = generator.choice(("colour", "shape"))
    for first, name in _named(scene, generator):
        for near, (near_words, _) in RELATIONS.items():
            for wanted in _single_attributes(scene, without=None):
                middle = _only(scene, near, first, wanted)
                if middle is None:
                    continue
                for far, (far_words, _) in RELATIONS.items():
                    item = _only(scene, far, middle, Description())
                    if item is not None and item != first:
                        inner = f"the {wanted.say(generator)} {generator.choice(near_words)} the {name}"
                        text = f"what {attribute} is the object {generator.choice(far_words)} {inner}?"
                        found.append((text, getattr(item, attribute)))
    return balanced(found, f"two steps {attribute}", generator)


def ask_verify(scene: Scene, generator: random.Random) -> Question | None:
    """Is one named item in a relation to another?"""
    found = []
    named = _named(scene, generator)
    for one, name in named:
        for other, other_name in named:
            if one != other:
                for words, holds in RELATIONS.values():
                    text = f"is the {name} {generator.choice(words)} the {other_name}?"
                    found.append((text, "yes" if holds(one, other) else "no"))
    return balanced(found, "verify", generator)


def ask_direction(scene: Scene, generator: random.Random) -> Question | None:
    """In which of eight directions does one named item lie, seen from another?"""
    found = []
    named = _named(scene, generator)
    for one, name in named:
        for other, other_name in named:
            if one != other:
                words = [word for word in ("above", "below", "left", "right") if RELATIONS[word][1](one, other)]
                text = f"where is the {name}, seen from the {other_name}?"
                found.append((text, " ".join(words)))
    return balanced(found, "direction", generator)


def ask_number(scene: Scene, generator: random.Random) -> Question | None:
    """How many items stand in a relation to a named item?"""
    found = []
    for other, name in _named(scene, generator):
        for words, holds in RELATIONS.values():
            number = sum(holds(item, other) for item in scene.items)
            things = Description().say(generator, plural=True)
            found.append((f"how many {things} are {generator.choice(words)} the {name}?", str(number)))
    return balanced(found, "number", generator)


def ask_extreme(scene: Scene, generator: random.Random) -> Question | None:
    """Ask for an attribute of the item that lies farthest to one side, among all or those of one colour or shape."""
    found = []
    attribute = generator.choice(("colour", "shape", "size"))
    for word, key in EXTREMES.items():
        for wanted in (Description(), *_single_attributes(scene, without=attribute)):
            among = sorted(wanted.among(scene), key=key)
            if len(among) > 1 and key(among[0]) < key(among[1]):
                found.append((f"what {attribute} is the {word} {wanted.say(generator)}?", getattr(among[0], attribute)))
    return balanced(found, f"extreme {attribute}", generator)


def ask_compare(scene: Scene, generator: random.Random) -> Question | None:
    """Do two named items share an attribute? Named without that attribute, or the words would tell."""
    questions = []
    for attribute in ("colour", "shape", "size"):
        found = []
        for (one, name), (other, other_name) in permutations(_named(scene, generator, without=attribute), 2):
            text = f"do the {name} and the {other_name} have the same {attribute}?"
            found.append((text, "yes" if getattr(one, attribute) == getattr(other, attribute) else "no"))
        questions.append(_undecided(found, "compare", generator))
    possible = [question for question in questions if question]
    return generator.choice(possible) if possible else None


def ask_logic(scene: Scene, generator: random.Random) -> Question | None:
    """Are both, or is either, of two descriptions there?

    Both are with a size or both without: they describe different items, and the words do not tell the answer.
    """
    word = generator.choice(("and", "or"))
    sizes = SIZES if generator.random() < 0.5 else (None,)
    colours, shapes = ({getattr(item, name) for item in scene.items} for name in ("colour", "shape"))
    told = [Description(*each) for each in product(sizes, sorted(colours), sorted(shapes))]
    found = []
    for one, other in permutations(told, 2):
        truths = [bool(each.among(scene)) for each in (one, other)]
        names = [a(each.say(generator)) for each in (one, other)]
        text = f"are there both {names[0]} and {names[1]}?" if word == "and" else f"is there {' or '.join(names)}?"
        found.append((text, "yes" if (all(truths) if word == "and" else any(truths)) else "no"))
    return _undecided(found, f"logic {word}", generator)


def _undecided(found: Sequence[tuple[str, str]], kind: str, generator: random.Random) -> Question | None:
    """As `balanced`; None where this scene allows one answer only, or words could tell which answer is the likelier."""
    return balanced(found, kind, generator) if len({answer for _, answer in found}) > 1 else None


def _single_attributes(scene: Scene, without: str | None) -> list[Description]:
    """Descriptions by one colour or one shape that occur in the scene."""
    return [
        Description(**{name: value})
        for name in ("colour", "shape")
        if name != without
        for value in sorted({getattr(item, name) for item in scene.items})
    ]


# Few kinds have two answers only, or most of the score could be guessed.
ASKERS: dict[str, Asker] = {
    "related": ask_related,
    "two steps": ask_two_steps,
    "verify": ask_verify,
    "direction": ask_direction,
    "number": ask_number,
    "extreme": ask_extreme,
    "compare": ask_compare,
    "logic": ask_logic,
}


class MiniGqa(MiniTask):
    """Relations, comparisons and logic over one scene."""

    name = "mini-gqa"
    prefix = "gqa: "
    title = "mini-gqa"
    summary = "A compositional question about relations in one scene; one answer; exact match."
    metric = METRIC
    decoding = ANSWER_DECODING
    text_limit = 40
    target_limit = 10
    counts: ClassVar = {"train": 2950, "select": 300, "report": 600}

    def examples(self, role: Role) -> Sequence[Example]:
        """One question per scene; when the scenes run out, they are asked about again in order."""
        made = []
        for index in range(self.counts[role]):
            scene = scenes(role)[index % len(scenes(role))]
            question = ask(scene, self.generator(role, index), ASKERS)
            made.append(
                Example(
                    id=f"{index}",
                    text=question.text,
                    images=(scene.code,),
                    targets=(question.answer,),
                    weights=(1.0,),
                    references=(question.answer,),
                    cluster=scene.code,
                    kind=question.kind,
                )
            )
        return made

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        """Exact match."""
        return Scored(*exact(predictions, [example.references for example in examples]))
