"""Exercises about boxes: to judge a statement, to tell what is there, to count."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from harness.pretraining.box_statements import some_kind, state, touching
from harness.pretraining.boxes import Box, Boxes
from tasks.mini.words import Question

_PATIENCE = 20  # statements that things may suggest in vain before the next one is asked: few may have no counterpart


def judge(things: Sequence[Boxes], generator: random.Random) -> list[tuple[int, Question]]:
    """As many judgements as things: which of them is shown, and whether a statement is true of it.

    As in NLVR, the same statement is true of one picture as likely as it is false of another, so its words say nothing.
    """
    made: list[tuple[int, Question]] = []
    failures = 0
    while len(made) < len(things):
        inspiration = things[(len(made) + failures // _PATIENCE) % len(things)]
        failures += 1
        text, test = state(inspiration, generator)
        candidates = [i for i, each in enumerate(things) if each.towers == inspiration.towers and each != inspiration]
        sides = {truth: [i for i in candidates if test(things[i]) == truth] for truth in (True, False)}
        if sides[True] and sides[False]:
            failures = 0
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
    counts = Counter(f"{item.colour} {item.shape}" for item in box)
    return ", ".join(f"{counts[name]} {name}" for name in sorted(counts))


def count(boxes: Boxes, generator: random.Random) -> Question:
    """How many of a kind are there, in a box, in all or at a wall?"""
    kind = some_kind(boxes, generator)
    name = kind.say(boxes.towers, generator, True)
    choice = generator.randrange(4)
    if choice == 0:
        number = sum(map(kind.holds, boxes.items))
        return Question(f"vqa: how many {name} are there?", str(number), "boxes count")
    if choice == 1:
        where, test = touching(boxes, generator)
        number = sum(kind.holds(item) and test(item) for item in boxes.items)
        return Question(f"vqa: how many {name} are{where}?", str(number), "boxes count")
    if choice == 2:
        number = sum(any(map(kind.holds, box)) for box in boxes.boxes)
        return Question(f"vqa: how many boxes have {name}?", str(number), "boxes count")
    index = generator.randrange(3)
    number = sum(map(kind.holds, boxes.boxes[index]))
    return Question(
        f"vqa: how many {name} are in the {('left', 'right', 'bottom')[index]} box?", str(number), "boxes count"
    )
