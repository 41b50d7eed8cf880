"""The embedded world: scenes, pictures, questions and captions."""

import random
from collections import Counter, defaultdict

import numpy as np
import pytest

from tasks import mini_gqa
from tasks.mini import task as mini_task
from tasks.mini.drawing import PIXELS, draw
from tasks.mini.task import SceneImages, scenes
from tasks.mini.words import Description
from tasks.mini.world import COLOURS, SHAPES, SIZES, Item, Scene, part_of, pool, sample
from tasks.mini_caption import MiniCaption
from tasks.mini_gqa import MiniGqa
from tasks.mini_nlvr import STATEMENTS, MiniNlvr
from tasks.mini_vqa import ANNOTATORS, ASKERS, MiniVqa, annotate

PAIR = Scene((Item(0, 0, "large", "red", "circle"), Item(2, 1, "small", "blue", "star")))


def test_a_scene_comes_back_from_its_code() -> None:
    for scene in pool("train", 50):
        assert Scene.parse(scene.code) == scene


@pytest.mark.parametrize("code", ["", "0", "00xx", "0099", "000", "9000"])
def test_other_strings_are_no_codes(code: str) -> None:
    with pytest.raises(ValueError, match="is not the code of a scene"):
        Scene.parse(code)


def test_no_scene_occurs_in_two_parts() -> None:
    seen: dict[str, str] = {}
    for part in ("train", "validation", "test", "pretraining"):
        for scene in pool(part, 400):
            assert part_of(scene) == part
            assert seen.setdefault(scene.code, part) == part
    assert len(seen) == 1600


def test_a_longer_pool_begins_with_the_shorter_one() -> None:
    assert pool("test", 40)[:15] == pool("test", 15)


def test_pictures_are_deterministic_and_show_the_items() -> None:
    first, second = np.asarray(draw(PAIR)), np.asarray(draw(PAIR))
    assert first.shape == (PIXELS, PIXELS, 3)
    assert (first == second).all()
    red = (first[..., 0] > 180) & (first[..., 1] < 80)
    blue = (first[..., 2] > 180) & (first[..., 0] < 80)
    rows, columns = red.nonzero()
    assert rows.max() < PIXELS / 2
    assert columns.max() < PIXELS / 2
    assert blue.nonzero()[0].min() > PIXELS / 2
    assert red.sum() > 4 * blue.sum()


def test_fingerprints_change_with_pictures_and_with_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = [scene.code for scene in scenes("select")]
    images, task = SceneImages("scenes", codes), MiniGqa()
    assert SceneImages("scenes", codes).fingerprint == images.fingerprint
    assert SceneImages("scenes", codes[:-1]).fingerprint != images.fingerprint
    before = task.fingerprint()
    monkeypatch.delitem(mini_gqa.ASKERS, "number")
    assert task.fingerprint() != before
    monkeypatch.setattr(mini_task, "draw", lambda scene: draw(scene).rotate(180))
    assert SceneImages("scenes", codes).fingerprint != images.fingerprint


def test_what_a_fingerprint_draws_shows_everything() -> None:
    for role in ("train", "select", "report"):
        items = [item for scene in scenes(role)[: mini_task.DRAWN] for item in scene.items]
        assert {item.shape for item in items} == set(SHAPES)
        assert {item.colour for item in items} == set(COLOURS)
        assert {item.size for item in items} == set(SIZES)


def test_every_attribute_changes_the_picture() -> None:
    base = np.asarray(draw(PAIR)).astype(int)
    for change in ({"size": "small"}, {"colour": "green"}, {"shape": "square"}):
        item = PAIR.items[0]
        fields = {
            "row": 0,
            "column": 0,
            "size": item.size,
            "colour": item.colour,
            "shape": item.shape,
        } | change
        other = np.asarray(draw(Scene((Item(**fields), PAIR.items[1])))).astype(int)
        assert np.abs(base - other)[:48, :48].max() > 60


@pytest.mark.parametrize("name", sorted(ASKERS))
def test_open_questions_have_the_answer_that_the_scene_gives(name: str) -> None:
    """Answers recomputed here from the words of the question."""
    checked = 0
    for index, scene in enumerate(pool("train", 150)):
        question = ASKERS[name](scene, random.Random(index))
        if question is None:
            continue
        words = question.text.rstrip("?").replace("little", "small").replace("big", "large").split()
        wanted = {
            "size": next((w for w in words if w in ("small", "large") and name != "size"), None),
            "colour": next((w for w in words if w in {i.colour for s in scenes("train") for i in s.items}), None),
        }
        shapes = {"circle", "square", "triangle", "star", "cross", "diamond"}
        singular = [
            w[:-2] if w == "crosses" else w.removesuffix("s") if w.removesuffix("s") in shapes else w for w in words
        ]
        wanted["shape"] = next((w for w in singular if w in shapes), None)
        fits = Description(**wanted).among(scene)
        if name == "variety":
            attribute = "colour" if "colours" in words else "shape"
            assert question.answer == str(len({getattr(item, attribute) for item in scene.items}))
        elif name == "count":
            assert question.answer == str(len(fits))
        elif name == "presence":
            assert question.answer == ("yes" if fits else "no")
        elif name == "place":
            assert len(fits) == 1
            row, column = ("top", "", "bottom")[fits[0].row], ("left", "", "right")[fits[0].column]
            assert question.answer == (f"{row} {column}".strip() or "centre")
        else:
            assert [getattr(item, name) for item in fits] == [question.answer]
        checked += 1
    assert checked > 60


@pytest.mark.parametrize("alone", [("cluster", "text"), ("images",)])
def test_neither_a_statement_nor_a_pair_of_scenes_tells_the_answer(alone: tuple[str, ...]) -> None:
    examples = MiniNlvr().examples("select")
    answers = defaultdict(list)
    for example in examples:
        answers[tuple(getattr(example, name) for name in alone)].append(example.references[0])
    assert all(sorted(both) == ["false", "true"] for both in answers.values())
    assert {example.kind for example in examples} == set(STATEMENTS)
    assert {len([e for e in examples if e.cluster == example.cluster]) for example in examples} == {4}


def test_statements_can_be_checked_by_counting() -> None:
    checked = 0
    for example in MiniNlvr().examples("train"):
        if example.kind == "more" and example.text.startswith("the left image has more shapes"):
            left, right = (len(Scene.parse(code).items) for code in example.images)
            assert example.references[0] == ("true" if left > right else "false")
            checked += 1
    assert checked >= 10


def test_annotators_mostly_agree_and_slips_stay_in_kind() -> None:
    generator = random.Random(5)
    right = total = 0
    for scene in pool("train", 200):
        question = ASKERS["count"](scene, generator)
        assert question is not None
        answers = annotate(question, generator)
        assert len(answers) == ANNOTATORS
        assert all(answer.isdigit() and abs(int(answer) - int(question.answer)) <= 1 for answer in answers)
        right += answers.count(question.answer)
        total += ANNOTATORS
    assert 0.9 < right / total < 0.98


def test_captions_speak_of_what_is_there() -> None:
    for example in MiniCaption().examples("select"):
        scene = Scene.parse(example.images[0])
        colours = {item.colour for item in scene.items}
        words = set(" ".join(example.references).replace(",", "").split())
        assert words & {"red", "green", "blue", "yellow", "purple", "orange", "black", "white"} <= colours
        assert len(set(example.references)) >= 4


def test_open_answers_are_spread() -> None:
    """No single answer is right for more than two thirds of any kind of question."""
    for task in (MiniVqa(), MiniGqa()):
        by_kind: dict[str, Counter[str]] = defaultdict(Counter)
        for example in task.examples("train"):
            by_kind[example.kind][max(zip(example.weights, example.targets, strict=True))[1]] += 1
        for kind, counts in by_kind.items():
            assert max(counts.values()) / sum(counts.values()) < 0.67, (kind, counts)


def test_sampling_depends_on_the_seed_only() -> None:
    assert sample(random.Random(3), "train") == sample(random.Random(3), "train")
    assert sample(random.Random(3), "train") != sample(random.Random(4), "train")
