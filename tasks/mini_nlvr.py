"""mini-nlvr: is a statement true of two images? Of each two statements and two pairs, each is true once."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import ClassVar

from tasks.base import Card, Decoding, Example, Role, Scored
from tasks.metrics.consistency import consistency
from tasks.metrics.exact import METRIC, exact
from tasks.mini.task import MiniTask, scenes
from tasks.mini.words import NUMBERS, Description, a
from tasks.mini.world import COLOURS, SHAPES, Scene

Check = Callable[[Scene, Scene], bool]
_TRIES = 4000  # pairs drawn for a statement before it is given up


def _described(generator: random.Random) -> Description:
    """A colour, a shape, or both."""
    choice = generator.random()
    colour = generator.choice(COLOURS) if choice < 0.65 else None
    shape = generator.choice(SHAPES) if choice > 0.35 else None
    return Description(colour=colour, shape=shape)


def _count(scene: Scene, description: Description) -> int:
    return len(description.among(scene))


def state_side(generator: random.Random) -> tuple[str, Check]:
    """Which image holds something."""
    what = _described(generator)
    side = generator.choice(("left", "right"))
    index = ("left", "right").index(side)
    return (
        f"there is {a(what.say(generator))} in the {side} image",
        lambda *pair: _count(pair[index], what) > 0,
    )


def state_both(generator: random.Random) -> tuple[str, Check]:
    """Something in each image."""
    what = _described(generator)
    opening = generator.choice(("both images show", "each image contains"))
    return f"{opening} {a(what.say(generator))}", lambda *pair: all(_count(scene, what) > 0 for scene in pair)


def state_one(generator: random.Random) -> tuple[str, Check]:
    """Something in exactly one image."""
    what = _described(generator)
    return (
        f"only one of the images contains {a(what.say(generator))}",
        lambda *pair: sum(_count(scene, what) > 0 for scene in pair) == 1,
    )


def state_total(generator: random.Random) -> tuple[str, Check]:
    """Exactly, at least or at most so many over both images."""
    what, number = _described(generator), generator.randint(1, 3)
    how, compare = generator.choice((("exactly", int.__eq__), ("at least", int.__ge__), ("at most", int.__le__)))
    names = what.say(generator, plural=number != 1)
    verb = "is" if number == 1 else "are"
    return (
        f"in total there {verb} {how} {NUMBERS[number]} {names}",
        lambda *pair: compare(sum(_count(scene, what) for scene in pair), number),
    )


def state_more(generator: random.Random) -> tuple[str, Check]:
    """More of something in one image than in the other."""
    what = _described(generator) if generator.random() < 0.6 else Description()
    side = generator.choice(("left", "right"))
    sign = 1 if side == "left" else -1
    other = "right" if side == "left" else "left"
    return (
        f"the {side} image has more {what.say(generator, plural=True)} than the {other} image",
        lambda *pair: sign * (_count(pair[0], what) - _count(pair[1], what)) > 0,
    )


def state_different(generator: random.Random) -> tuple[str, Check]:
    """One thing in one image and another thing in the other."""
    one, other = _described(generator), _described(generator)
    return (
        f"one image shows {a(one.say(generator))} and the other shows {a(other.say(generator))}",
        lambda *pair: any(_count(pair[i], one) > 0 and _count(pair[1 - i], other) > 0 for i in (0, 1)),
    )


STATEMENTS = {
    "side": state_side,
    "both": state_both,
    "one": state_one,
    "total": state_total,
    "more": state_more,
    "different": state_different,
}


def _pair(generator: random.Random, pool: Sequence[Scene], true: Check, false: Check) -> tuple[Scene, Scene] | None:
    """Two scenes of which `true` holds and `false` does not."""
    for _ in range(_TRIES):
        one, other = generator.sample(pool, 2)
        if true(one, other) and not false(one, other):
            return one, other
    return None


class MiniNlvr(MiniTask):
    """Statements about two scenes; neither the words alone nor the scenes alone say anything about the answer."""

    name = "mini-nlvr"
    prefix = "nlvr: "
    title = "mini-nlvr"
    summary = "A statement about two scenes is true or false; accuracy."
    metric = METRIC
    decoding = Decoding(choices=("true", "false"))
    text_limit = 40
    target_limit = 5
    batch_share = 0.5
    counts: ClassVar = {"train": 2000, "select": 300, "report": 600}

    @property
    def card(self) -> Card:
        """The task's card."""
        return super().card.model_copy(update={"cluster": "square of two statements and two pairs of scenes"})

    def examples(self, role: Role) -> Sequence[Example]:
        """Four examples a time: two statements and two pairs, each statement true of one pair, false of the other."""
        return [example for index in range(self.counts[role] // 4) for example in self._square(role, index)]

    def _square(self, role: Role, index: int) -> list[Example]:
        generator = self.generator(role, index)
        while True:
            kinds = [generator.choice(sorted(STATEMENTS)) for _ in range(2)]
            (text, check), (other_text, other_check) = [STATEMENTS[kind](generator) for kind in kinds]
            pair = _pair(generator, scenes(role), check, other_check)
            other_pair = _pair(generator, scenes(role), other_check, check)
            if pair and other_pair:
                break
        return [
            Example(
                id=f"{index}-{number}-{answer}",
                text=statement,
                images=(about[0].code, about[1].code),
                targets=(answer,),
                weights=(1.0,),
                references=(answer,),
                cluster=f"{index}",
                kind=kinds[number],
            )
            for number, (statement, true_of, false_of) in enumerate(
                ((text, pair, other_pair), (other_text, other_pair, pair))
            )
            for answer, about in (("true", true_of), ("false", false_of))
        ]

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        """Accuracy, and the share of statements with both pairs right (consistency)."""
        value, each = exact(predictions, [example.references for example in examples])
        statements = [f"{example.cluster}: {example.text}" for example in examples]
        return Scored(value, each, {"consistency": consistency(each, statements)})
