"""mini-gqa: every answer is worked out here from the words of the question; the words alone do not tell it."""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

import pytest

from tasks.mini.task import scenes
from tasks.mini.words import Question
from tasks.mini.world import Item, Scene
from tasks.mini_gqa import ASKERS

HOLDS: Mapping[str, Callable[[Item, Item], bool]] = {
    "to the left of": lambda one, other: one.column < other.column,
    "to the right of": lambda one, other: one.column > other.column,
    "left of": lambda one, other: one.column < other.column,
    "right of": lambda one, other: one.column > other.column,
    "above": lambda one, other: one.row < other.row,
    "higher than": lambda one, other: one.row < other.row,
    "below": lambda one, other: one.row > other.row,
    "lower than": lambda one, other: one.row > other.row,
}
FARTHEST: Mapping[str, Callable[[Item], int]] = {
    "leftmost": lambda item: -item.column,
    "rightmost": lambda item: item.column,
    "highest": lambda item: -item.row,
    "lowest": lambda item: item.row,
}
RELATION = f"({'|'.join(HOLDS)})"


def fitting(scene: Scene, name: str) -> list[Item]:
    words = {"little": "small", "big": "large"}
    known = [words.get(word, word) for word in name.split() if word not in ("shape", "object", "thing")]
    return [item for item in scene.items if all(word in (item.size, item.colour, item.shape) for word in known)]


def find(scene: Scene, name: str) -> Item:
    (item,) = fitting(scene, name)
    return item


def related(scene: Scene, attribute: str, wanted: str, relation: str, name: str) -> str:
    anchor = find(scene, name)
    (item,) = (item for item in fitting(scene, wanted) if item != anchor and HOLDS[relation](item, anchor))
    return str(getattr(item, attribute))


def two_steps(scene: Scene, attribute: str, far: str, wanted: str, near: str, name: str) -> str:
    anchor = find(scene, name)
    (middle,) = (item for item in fitting(scene, wanted) if item != anchor and HOLDS[near](item, anchor))
    (end,) = (item for item in scene.items if item != middle and HOLDS[far](item, middle))
    return str(getattr(end, attribute))


def verify(scene: Scene, name: str, relation: str, other: str) -> str:
    return "yes" if HOLDS[relation](find(scene, name), find(scene, other)) else "no"


def direction(scene: Scene, name: str, other: str) -> str:
    one, seen_from = find(scene, name), find(scene, other)
    down, across = one.row - seen_from.row, one.column - seen_from.column
    rows = {-1: ["above"], 0: [], 1: ["below"]}[(down > 0) - (down < 0)]
    return " ".join(rows + {-1: ["left"], 0: [], 1: ["right"]}[(across > 0) - (across < 0)])


def number(scene: Scene, relation: str, name: str) -> str:
    anchor = find(scene, name)
    return str(len([item for item in scene.items if HOLDS[relation](item, anchor)]))


def extreme(scene: Scene, attribute: str, word: str, wanted: str) -> str:
    far = FARTHEST[word]
    best, second = sorted(fitting(scene, wanted), key=far)[:-3:-1]
    assert far(best) > far(second), "no single item lies farthest"
    return str(getattr(best, attribute))


def compare(scene: Scene, name: str, other: str, attribute: str) -> str:
    one, second = find(scene, name), find(scene, other)
    named = set(f"{name} {other}".replace("little", "small").replace("big", "large").split())
    assert not named & {getattr(one, attribute), getattr(second, attribute)}, "the words tell"
    return "yes" if getattr(one, attribute) == getattr(second, attribute) else "no"


def both(scene: Scene, name: str, other: str) -> str:
    found = [fitting(scene, name), fitting(scene, other)]
    assert not set(found[0]) & set(found[1]), "one item is both"
    return "yes" if all(found) else "no"


def either(scene: Scene, name: str, other: str) -> str:
    return "yes" if fitting(scene, name) or fitting(scene, other) else "no"


FORMS: Mapping[str, list[tuple[str, Callable[..., str]]]] = {
    "related": [(rf"what (\w+) is the (.+?) {RELATION} the (.+)\?", related)],
    "two steps": [(rf"what (\w+) is the object {RELATION} the (.+?) {RELATION} the (.+)\?", two_steps)],
    "verify": [(rf"is the (.+?) {RELATION} the (.+)\?", verify)],
    "direction": [(r"where is the (.+), seen from the (.+)\?", direction)],
    "number": [(rf"how many (?:shapes|objects|things) are {RELATION} the (.+)\?", number)],
    "extreme": [(rf"what (\w+) is the ({'|'.join(FARTHEST)}) (.+)\?", extreme)],
    "compare": [(r"do the (.+) and the (.+) have the same (\w+)\?", compare)],
    "logic": [(r"are there both an? (.+) and an? (.+)\?", both), (r"is there an? (.+) or an? (.+)\?", either)],
}


def asked(kind: str, count: int) -> list[tuple[Scene, Question]]:
    made = [(scene, ASKERS[kind](scene, random.Random(f"{kind}{n}"))) for n, scene in enumerate(scenes("train"))]
    return [(scene, question) for scene, question in made if question][:count]


@pytest.mark.parametrize("kind", sorted(ASKERS))
def test_answers_follow_from_scene_and_words(kind: str) -> None:
    questions = asked(kind, 300)
    assert len(questions) == 300
    for scene, question in questions:
        solved = [
            solve(scene, *match.groups())
            for pattern, solve in FORMS[kind]
            if (match := re.fullmatch(pattern, question.text))
        ]
        assert solved == [question.answer], (scene, question)


@pytest.mark.parametrize("kind", ["verify", "compare", "logic"])
def test_words_do_not_tell_yes_from_no(kind: str) -> None:
    """Neither "and" or "or", nor the attribute, nor a size, nor the number of words makes one answer the likelier."""
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    for _, question in asked(kind, 2400):
        words = question.text.rstrip("?").split()
        sizes = len({"small", "little", "large", "big"} & set(words))
        form = {"verify": "", "compare": words[-1], "logic": question.kind}[kind]
        answers[f"{form}, {sizes} sizes"][question.answer] += 1
        answers[f"{form}, {len(words)} words"][question.answer] += 1
    frequent = {words: counts for words, counts in answers.items() if counts.total() > 250}
    assert frequent
    for words, counts in frequent.items():
        assert abs(counts["yes"] / counts.total() - 0.5) < 0.1, (words, counts)


@pytest.mark.parametrize(("kind", "most"), [("direction", 0.2), ("number", 0.4), ("extreme", 0.6), ("related", 0.6)])
def test_no_answer_is_frequent(kind: str, most: float) -> None:
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    for _, question in asked(kind, 1500):
        answers[question.kind][question.answer] += 1
    for counts in answers.values():
        assert max(counts.values()) < most * counts.total(), counts
