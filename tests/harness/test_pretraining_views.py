"""Views of pre-training: pictures that show what their captions say, and a cycle in which nothing is left out."""

import random
from math import gcd

import numpy as np

from harness.pretraining.stages import ENGLISH_EVERY, BoxStage, JointStage, LanguageStage, ViewStage
from harness.pretraining.view_captions import WHERE, WHITHER, caption_view, complete_view
from harness.pretraining.views import COATS, DOINGS, PLACES, Being, View, draw, sample
from tasks.mini.drawing import PIXELS

VIEWS = [sample(random.Random(seed)) for seed in range(400)]


def colour(view: View, rows: slice) -> np.ndarray:
    """Mean colour of some rows of the picture, each channel in [0, 255]."""
    return np.asarray(draw(view), dtype=float)[rows].mean((0, 1))


def test_the_same_view_gives_the_same_picture() -> None:
    for view in VIEWS[:20]:
        picture = draw(view)
        assert picture.size == (PIXELS, PIXELS)
        assert picture.tobytes() == draw(view).tobytes()


def test_the_ground_has_the_colour_of_the_place() -> None:
    bottom = slice(PIXELS - 8, PIXELS)
    found = {place: [colour(view, bottom) for view in VIEWS if view.place == place] for place in PLACES}
    red, green, blue = np.mean(found["grass"], 0)
    assert green > 1.2 * max(red, blue)
    red, green, blue = np.mean(found["water"], 0)
    assert blue > 1.2 * red
    assert np.mean(found["snow"]) > 1.3 * np.mean(found["street"])


def test_a_coat_is_seen() -> None:
    doing = next(doing for doing in DOINGS if doing.who == "dog")
    means = {
        coat: np.mean(
            [colour(View("grass", doing, (Being("dog", coat),), code), slice(0, PIXELS)) for code in range(9)]
        )
        for coat in ("black", "white")
    }
    assert means["white"] > means["black"] + 5
    assert "brown" in COATS


def test_captions_say_who_does_what_where() -> None:
    generator = random.Random(1)
    for view in VIEWS:
        question = caption_view(view, generator)
        assert question.text == "caption: "
        words = question.answer
        assert any(said in words for said in view.doing.said)
        assert any(words.endswith(f"{where} .") for where in (WHITHER if view.doing.moving else WHERE)[view.place])
        dogs = sum(being.kind == "dog" for being in view.beings)
        assert ("dog" in words) == bool(dogs)
        assert words.startswith(
            {1: ("a ", "an "), 2: ("two ", "a "), 3: ("three ", "a group", "several")}[len(view.beings)]
        )
        if len(view.beings) == 1 and " in a " in words and not dogs and " shirt " in words.split(" in a ")[1][:15]:
            assert f" in a {view.beings[0].colour} " in words


def test_a_completed_caption_is_one_of_the_view() -> None:
    generator = random.Random(2)
    for view in VIEWS[:50]:
        question = complete_view(view, generator)
        assert question.text.startswith("fill: ") and "<mask>" in question.text
        kept = [word for word in question.text.removeprefix("fill: ").split() if word != "<mask>"]
        words = iter(question.answer.split())
        assert all(word in words for word in kept)  # in their order


def test_every_place_and_doing_can_be_drawn_and_said() -> None:
    assert set(WHERE) == set(PLACES)
    assert all(place in WHITHER for doing in DOINGS if doing.moving for place in doing.places)
    assert {view.place for view in VIEWS} == set(PLACES)
    assert {view.doing for view in VIEWS} == set(DOINGS)


def test_old_lessons_go_on_and_english_takes_the_place_of_each_in_turn() -> None:
    seen = ViewStage.cycle
    assert [lesson for lesson in seen if lesson in JointStage.cycle] == list(JointStage.cycle)
    assert {lesson.exercise for lesson in BoxStage.cycle} <= {lesson.exercise for lesson in seen}
    assert all(gcd(ENGLISH_EVERY, len(kind.cycle)) == 1 for kind in (LanguageStage, JointStage, BoxStage, ViewStage))
