"""The embedded world: scenes, pictures, questions and captions."""

import random
import re
from collections import Counter, defaultdict

import numpy as np
import pytest

from tasks.mini.drawing import PIXELS, draw
from tasks.mini.task import scenes
from tasks.mini.words import SIZE_WORDS, Description
from tasks.mini.world import Item, Scene, part_of, pool, sample
from tasks.mini_caption import MiniCaption
from tasks.mini_gqa import ASKERS as GQA_ASKERS
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


def test_relations_are_those_of_the_scene() -> None:
    checked = 0
    for index, scene in enumerate(pool("train", 200)):
        question = GQA_ASKERS["verify"](scene, random.Random(index))
        assert question is not None
        text = question.text.rstrip("?").replace("little", "small").replace("big", "large")
        for phrase, holds in {
            " left of the ": lambda a, b: a.column < b.column,
            " right of the ": lambda a, b: a.column > b.column,
            " above the ": lambda a, b: a.row < b.row,
            " higher than the ": lambda a, b: a.row < b.row,
            " below the ": lambda a, b: a.row > b.row,
            " lower than the ": lambda a, b: a.row > b.row,
        }.items():
            if phrase in text:
                one, other = (_find(scene, part) for part in text.removeprefix("is the ").split(phrase))
                assert question.answer == ("yes" if holds(one, other) else "no")
                checked += 1
    assert checked == 200


def test_two_steps_lead_to_one_item() -> None:
    """Followed here from the words: the inner relation names one item, the outer one item from there."""
    holds = {
        "left of": lambda a, b: a.column < b.column,
        "right of": lambda a, b: a.column > b.column,
        "above": lambda a, b: a.row < b.row,
        "higher than": lambda a, b: a.row < b.row,
        "below": lambda a, b: a.row > b.row,
        "lower than": lambda a, b: a.row > b.row,
    }
    pattern = re.compile(
        rf"what (colour|shape) is the object (?:to the )?({'|'.join(holds)}) the (.+?)"
        rf" (?:to the )?({'|'.join(holds)}) the (.+)\?"
    )
    checked = 0
    for index, scene in enumerate(pool("train", 250)):
        question = GQA_ASKERS["two steps"](scene, random.Random(index))
        if question is None:
            continue
        text = question.text.replace("little", "small").replace("big", "large")
        attribute, outer, middle, inner, name = pattern.fullmatch(text).groups()
        anchor = _find(scene, name)
        middles = [i for i in _fitting(scene, middle) if i != anchor and holds[inner](i, anchor)]
        assert len(middles) == 1
        ends = [i for i in scene.items if i != middles[0] and holds[outer](i, middles[0])]
        assert [getattr(item, attribute) for item in ends] == [question.answer]
        checked += 1
    assert checked > 80


def test_compared_attributes_are_not_in_the_words() -> None:
    words = {"colour": {item.colour for s in pool("train", 200) for item in s.items}, "size": SIZE_WORDS}
    words["size"] = {word for each in SIZE_WORDS.values() for word in each}
    for index, scene in enumerate(pool("train", 200)):
        question = GQA_ASKERS["compare"](scene, random.Random(index))
        if question is not None:
            attribute = question.text.rstrip("?").split()[-1]
            assert not words.get(attribute, set()) & set(question.text.split()), question.text


def test_sizes_are_named_as_often_in_true_as_in_false_logic() -> None:
    counts = Counter(
        (question.answer, bool({"small", "little", "large", "big"} & set(question.text.split())))
        for index, scene in enumerate(pool("train", 1500))
        for question in [GQA_ASKERS["logic"](scene, random.Random(index))]
        if question is not None
    )
    shares = [counts[answer, True] / (counts[answer, True] + counts[answer, False]) for answer in ("yes", "no")]
    assert abs(shares[0] - shares[1]) < 0.1, counts


def _fitting(scene: Scene, name: str) -> list[Item]:
    known = ("shape", "object", "thing")
    return [
        item
        for item in scene.items
        if all(word in (item.size, item.colour, item.shape, *known) for word in name.split())
    ]


def _find(scene: Scene, name: str) -> Item:
    found = _fitting(scene, name.removesuffix(" to the"))
    assert len(found) == 1, (name, scene)
    return found[0]


def test_each_statement_is_once_true_and_once_false() -> None:
    by_text = defaultdict(list)
    for example in MiniNlvr().examples("select"):
        by_text[example.cluster].append(example)
    for pair in by_text.values():
        assert len({example.text for example in pair}) == 1
        assert {example.references[0] for example in pair} == {"true", "false"}
    assert {example.kind for examples in by_text.values() for example in examples} == set(STATEMENTS)


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
