"""Boxes of pre-training: pictures as NLVR's, statements that are as true as they say."""

import random
import re

import pytest
from PIL import Image

from harness.pretraining.boxes import COLOURS, SIDE, SIZES, Boxes, Shape, count, draw, judge, sample, tell
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


def test_statements_are_true_as_often_as_not() -> None:
    generator = random.Random(1)
    answers = [judge(made, generator).answer for made in MADE * 3]
    assert set(answers) == {"true", "false"}
    assert 0.45 < answers.count("true") / len(answers) < 0.55


@pytest.mark.parametrize("made", MADE[:120])
def test_statements_about_numbers_in_all_boxes_are_right(made: Boxes) -> None:
    """Counted anew from the words: "there are exactly two blue items"."""
    generator = random.Random(2)
    items = [item for box in made.boxes for item in box]
    numbers = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7}
    for _ in range(60):
        question = judge(made, generator)
        said = re.fullmatch(
            rf"match: there (?:is|are) (exactly|only|at least|at most|more than) (\w+) ({'|'.join(COLOURS)}) "
            r"(?:item|object|block)s?",
            question.text,
        )
        if not said:
            continue
        number = numbers.get(said[2]) or int(said[2])
        there = sum(item.colour == said[3] for item in items)
        expected = {
            "exactly": there == number,
            "only": there == number,
            "at least": there >= number,
            "at most": there <= number,
            "more than": there > number,
        }[said[1]]
        assert question.answer == ("true" if expected else "false"), question.text


def test_what_lies_on_what_is_right() -> None:
    made = towers("yellow black", "blue", "black blue")
    generator = random.Random(3)
    truth = {("black", "yellow"), ("blue", "black")}
    seen = set()
    for _ in range(20_000):
        question = judge(made, generator)
        said = re.fullmatch(r"match: there is a (\w+) block on a (\w+) block", question.text)
        if said:
            assert question.answer == ("true" if said.groups() in truth else "false")
            seen.add(question.answer)
    assert seen == {"true", "false"}


def test_ends_of_towers_are_right() -> None:
    made = towers("yellow black", "blue", "black blue")
    generator = random.Random(4)
    found = {}
    for _ in range(20_000):
        question = judge(made, generator)
        said = re.fullmatch(r"match: there is a tower with a (\w+) block at the (top|base)", question.text)
        if said:
            found[said.groups()] = question.answer
    assert {ends for ends, answer in found.items() if answer == "true"} == {
        ("black", "top"), ("blue", "top"), ("yellow", "base"), ("blue", "base"), ("black", "base"),
    }  # fmt: skip
    assert found["yellow", "top"] == "false"


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
    familiar = [lesson for lesson in BoxStage.cycle if lesson.subject != "boxes"]
    assert familiar == list(JointStage.cycle)
    assert len(BoxStage.cycle) % 2  # else English would always take the place of the same lessons
