"""Boxes of pre-training: pictures as NLVR's, statements that are as true as they say."""

import random
import re
from itertools import pairwise
from operator import eq, ge, gt, le

from PIL import Image

from harness.pretraining.box_exercises import count, judge, tell
from harness.pretraining.boxes import COLOURS, SIDE, SIZES, Boxes, Shape, draw, sample
from harness.pretraining.stages import BoxStage, JointStage

YELLOW, BLACK, BLUE, GROUND, BETWEEN = (255, 255, 0), (0, 0, 0), (0, 153, 255), (211, 211, 211), (128, 128, 128)
MADE = [sample(random.Random(seed)) for seed in range(300)]


def block(level: int, colour: str) -> Shape:
    return Shape(40, 80 - 21 * level, "medium", colour, "square")


def towers(*colours: str) -> Boxes:
    return Boxes(tuple(tuple(block(i, name) for i, name in enumerate(each.split())) for each in colours), True)


def test_shapes_lie_in_their_box_and_apart() -> None:
    for box in (box for made in MADE for box in made.boxes):
        taken: set[tuple[int, int]] = set()
        for item in box:
            size = SIZES[item.size]
            assert 0 <= item.x <= SIDE - size
            assert 0 <= item.y <= SIDE - size
            pixels = {(x, y) for x in range(item.x, item.x + size) for y in range(item.y, item.y + size)}
            assert not taken & pixels
            taken |= pixels


def test_pictures_have_nlvrs_form_and_colours() -> None:
    picture = draw(towers("yellow black", "blue", "black"))
    assert picture.size == (400, 100)
    points = {(50, 90): YELLOW, (50, 69): BLACK, (200, 90): BLUE, (350, 90): BLACK, (5, 5): GROUND, (125, 50): BETWEEN}
    assert {point: picture.getpixel(point) for point in points} == points
    circle = draw(Boxes(((Shape(0, 0, "large", "blue", "circle"),), (), ()), False))
    assert circle.getpixel((15, 15)) == BLUE
    assert circle.getpixel((1, 1)) == GROUND
    assert isinstance(circle, Image.Image)


def judged() -> list[tuple[str, bool, Boxes]]:
    """Statements, whether they are said to be true, and of which boxes."""
    generator = random.Random(1)
    return [
        (question.text.removeprefix("match: "), question.answer == "true", batch[index])
        for batch in (MADE[start : start + 60] for start in range(0, 300, 60))
        for _ in range(30)
        for index, question in judge(batch, generator)
    ]


JUDGED = judged()


def test_the_words_of_a_statement_do_not_say_whether_it_is_true() -> None:
    outcomes: dict[str, list[bool]] = {}
    for text, truth, _ in JUDGED:
        outcomes.setdefault(" ".join(text.split()[:3]), []).append(truth)
    frequent = [each for each in outcomes.values() if len(each) >= 200]
    assert len(frequent) >= 10
    assert all(0.4 < sum(each) / len(each) < 0.6 for each in frequent)


def test_a_small_batch_with_one_pair_of_towers_is_judged_too() -> None:
    loose = [made for made in MADE if not made.towers]
    assert len(judge([loose[0], towers("blue", "black", "yellow"), loose[1], loose[2]], random.Random(6))) == 4


NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7}
COMPARISONS = {"exactly": eq, "only": eq, "at least": ge, "at most": le, "more than": gt}


def test_statements_about_numbers_in_all_boxes_are_right() -> None:
    """Counted anew from the words: "there are exactly two blue items"."""
    form = rf"there (?:is|are) ({'|'.join(COMPARISONS)}) (\w+) ({'|'.join(COLOURS)}) (?:item|object|block)s?"
    checked = 0
    for text, truth, made in JUDGED:
        if said := re.fullmatch(form, text):
            there = sum(item.colour == said[3] for box in made.boxes for item in box)
            assert truth == COMPARISONS[said[1]](there, NUMBERS.get(said[2]) or int(said[2])), text
            checked += 1
    assert checked > 100


def test_what_lies_on_what_is_right() -> None:
    seen = []
    for text, truth, made in JUDGED:
        if said := re.fullmatch(r"there is a (\w+) block on a (\w+) block", text):
            pairs = {(upper.colour, lower.colour) for box in made.boxes for lower, upper in pairwise(box)}
            assert truth == ((said[1], said[2]) in pairs)
            seen.append(truth)
    assert {True, False} == set(seen)


def test_ends_of_towers_are_right() -> None:
    seen = []
    for text, truth, made in JUDGED:
        if said := re.fullmatch(r"there is (a|no) tower with a (\w+) block at the (top|base)", text):
            ends = {box[-1 if said[3] == "top" else 0].colour for box in made.boxes}
            assert truth == ((said[2] in ends) == (said[1] == "a"))
            seen.append(truth)
    assert {True, False} == set(seen)


def test_telling_and_counting() -> None:
    made = towers("yellow black", "blue", "black blue")
    generator = random.Random(5)
    assert tell(made, generator).answer == "tower yellow black; tower blue; tower black blue"
    counted = {}
    for _ in range(500):
        question = count(made, generator)
        counted[question.text] = question.answer
    assert counted["vqa: how many blue blocks are there?"] == "2"
    assert counted["vqa: how many boxes have black blocks?"] == "2"
    assert counted["vqa: how many blue blocks are in the left box?"] == "0"


def test_old_lessons_go_on_beside_the_boxes() -> None:
    familiar = [lesson for lesson in BoxStage.cycle if "boxes" not in lesson.subject]
    assert familiar == list(JointStage.cycle)
