"""Clips of the embedded world: codes, parts, frames, and how they are told."""

import random
import re
from collections import Counter

import numpy as np
import pytest

from tasks import DataError
from tasks.mini.clip_exercises import CLIP_ASKERS, describe_clip, offer_choices
from tasks.mini.clip_task import ClipImages
from tasks.mini.clip_words import fate, where, with_choices
from tasks.mini.clips import ACTIONS, CORNERS, FRAMES, HALF, STEADY, Actor, Clip, pool
from tasks.mini.words import Question
from tasks.mini.world import COLOURS, Item, part_of

STAR = Item(0, 0, "small", "red", "star")
CLIP = Clip(
    (
        Actor(STAR, Item(0, 2, "small", "red", "star"), 4),
        Actor(None, Item(0, 0, "large", "blue", "cross"), 10),
        Actor(Item(2, 2, "large", "green", "circle"), Item(2, 2, "large", "green", "circle"), 0),
    )
)
CLIPS = pool("train", 300)


def test_a_clip_comes_back_from_its_code() -> None:
    assert all(Clip.parse(clip.code) == clip for clip in CLIPS)


@pytest.mark.parametrize(
    "code", ["", "0", CLIP.code[:-9], CLIP.code + "0", "--------0" * 3, CLIP.code.replace("4", "x")]
)
def test_other_strings_are_no_codes(code: str) -> None:
    with pytest.raises(ValueError, match="is not the code of a clip"):
        Clip.parse(code)


def test_no_clip_occurs_in_two_parts() -> None:
    parts = ("train", "validation", "test", "pretraining")
    codes = {part: {clip.code for clip in pool(part, 300)} for part in parts}
    assert len(set.union(*codes.values())) == 1200
    assert all(part_of(clip) == "test" for clip in pool("test", 20))
    assert pool("test", 40)[:15] == pool("test", 15)


def test_two_of_three_act_in_turn_and_one_stays() -> None:
    for clip in CLIPS:
        first, second, third = clip.actors
        assert first.action in ACTIONS
        assert second.action in ACTIONS
        assert first.action != second.action
        assert third.action == "stay"
        frames = clip.frames()
        assert len(frames) == FRAMES
        changes = [number for number in range(1, FRAMES) if frames[number] != frames[number - 1]]
        assert changes[0] == first.frame >= STEADY
        assert second.frame > HALF
        assert not [number for number in changes if number > FRAMES - STEADY]
    assert {clip.actors[0].action for clip in CLIPS} == set(ACTIONS)


def test_shapes_and_colours_name_one_actor_each() -> None:
    for clip in CLIPS:
        looks = [actor.look for actor in clip.actors]
        assert len({look.shape for look in looks}) == len({look.colour for look in looks}) == 3
        recoloured = any(actor.action == "recolour" for actor in clip.actors)
        assert len(clip.colours) == 3 + recoloured


def test_no_frame_has_two_shapes_in_one_place() -> None:
    for clip in CLIPS:
        for number, scene in enumerate(clip.frames()):
            cells = [(item.row, item.column) for item in scene.items]
            assert len(set(cells)) == len(cells) >= 1
            assert set(cells) <= set(CORNERS) or any(0 <= number - actor.frame < 2 for actor in clip.actors)


def test_a_moving_shape_is_half_way_for_two_frames() -> None:
    star = [CLIP.actors[0].at(number) for number in range(3, 8)]
    assert [(item.row, item.column) for item in star if item] == [(0, 0), (0, 1), (0, 1), (0, 2), (0, 2)]


def test_frames_are_pictures_of_the_clip() -> None:
    images = ClipImages("clips", [CLIP.code])
    frames = images.open_frames(CLIP.code)
    assert len(frames) == images.frames == FRAMES
    assert np.array_equal(images.open(CLIP.code), frames[0])
    assert len({id(frame) for frame in frames}) == 4  # start, half-way, moved, appeared
    with pytest.raises(DataError, match=r"clips: 'none' is not the code of a clip"):
        images.open("none")


def test_a_clip_is_told() -> None:
    assert describe_clip(CLIP) == (
        "small red star top left, large green circle bottom right, "
        "then star moves top right, then large blue cross appears top left"
    )
    assert [fate(actor) for actor in CLIP.actors] == ["moves", "appears", "stays"]
    assert [where(CLIP.actors[1], frame) for frame in (0, FRAMES - 1)] == ["nowhere", "top left"]


def test_open_questions_have_true_answers() -> None:
    generator = random.Random(0)
    answers = {kind: {CLIP_ASKERS[kind](CLIP, generator) for _ in range(200)} for kind in CLIP_ASKERS}
    told = {question.text: question.answer for found in answers.values() for question in found}
    assert told["what happens to the star?"] == told["what happens to the red one?"] == "moves"
    assert told["which shape appears?"] == "cross"
    assert told["what colour is the one that appears?"] == "blue"
    assert told["where is the circle at the end?"] == told["where is the green one at the start?"] == "bottom right"
    assert told["where is the cross at the start?"] == "nowhere"
    assert all(question.kind == kind for kind, found in answers.items() for question in found)


def test_choices_hold_the_answer_anywhere() -> None:
    generator = random.Random(0)
    asked = [with_choices(Question("what?", "right", "kind"), ["wrong", "bad"], generator) for _ in range(300)]
    assert all(question.answer == "right" for question in asked)
    places = Counter(re.findall(r"(a\d): right\.", question.text)[0] for question in asked)
    assert set(places) == {"a0", "a1", "a2"}
    assert min(places.values()) > 70
    assert asked[0].text.startswith("what? [Choices] a0: ")


def test_choices_are_of_the_answers_kind() -> None:
    generator = random.Random(0)
    question = Question("what colour is it?", "red", "colour")
    asked = offer_choices(question, generator)
    offered = re.findall(r"a\d: ([^.]*)\.", asked.text)
    assert len(offered) == 5
    assert "red" in offered
    assert set(offered) < set(COLOURS)
    free = Question("what happens?", "turns red", "fate")
    assert offer_choices(free, generator) == free
