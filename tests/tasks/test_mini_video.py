"""The embedded video tasks: neither words nor frames alone tell the answer; captions name what is heard and seen."""

import random
import re
from collections import Counter, defaultdict

import pytest

from tasks import Example, Task
from tasks.mini.clip_words import FOODS, PEOPLE, VERBS
from tasks.mini.clips import FRAMES, Clip, pool
from tasks.mini.words import place
from tasks.mini_how2qa import MiniHow2qa
from tasks.mini_tvc import MiniTvc
from tasks.mini_tvqa import MiniTvqa
from tasks.mini_yc2c import MiniYc2c

TASKS = {kind.name: kind() for kind in (MiniTvqa, MiniHow2qa, MiniTvc, MiniYc2c)}
TRAIN = {name: task.examples("train") for name, task in TASKS.items()}


def choices(example: Example) -> list[str]:
    return re.findall(r"a\d: ([^.]*)\.", example.text)


def answer(example: Example) -> str:
    (text,) = example.targets
    return text


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
def test_all_tasks_share_the_clips(task: Task) -> None:
    for role in ("train", "select", "report"):
        examples = task.examples(role)
        assert [example.images for example in examples] == [(code,) for code in task.images(role).ids()]
        assert all(example.subtitles for example in examples)


@pytest.mark.parametrize(("name", "count"), [("mini-tvqa", 5), ("mini-how2qa", 4)])
def test_choices_differ_and_the_answer_is_as_often_at_each_place(name: str, count: int) -> None:
    assert all(len(set(choices(example))) == count for example in TRAIN[name])
    places = Counter(choices(example).index(answer(example)) for example in TRAIN[name])
    assert max(places.values()) < 1.25 * len(TRAIN[name]) / count
    assert min(Counter(example.kind for example in TRAIN[name]).values()) > len(TRAIN[name]) / 4


@pytest.mark.parametrize(("name", "count"), [("mini-tvqa", 5), ("mini-how2qa", 4)])
def test_no_choice_stands_out_by_its_words(name: str, count: int) -> None:
    offered, right = Counter(), Counter()
    for example in TRAIN[name]:
        offered.update(choices(example))
        right[answer(example)] += 1
    frequent = [choice for choice, number in offered.items() if number > 150]
    assert len(frequent) >= 7
    assert all(right[choice] / offered[choice] < 1.5 / count for choice in frequent)


@pytest.mark.parametrize("name", ["mini-tvqa", "mini-how2qa"])
def test_the_same_clip_and_question_have_other_answers_under_other_subtitles(name: str) -> None:
    clip, answers = pool("train", 1)[0], defaultdict(set)
    for seed in range(400):
        example = TASKS[name].example("0", clip, random.Random(seed))
        answers[example.text.split("[Choices]")[0]].add(answer(example))
    assert all(len(found) >= 3 for found in answers.values())


def test_true_answers_of_tvqa_hold_in_the_clip() -> None:
    for example in TRAIN["mini-tvqa"][:300]:
        actors = Clip.parse(example.images[0]).actors
        words = set(re.findall(r"\w+", example.subtitles))
        (actor,) = [actor for actor in actors if {actor.look.shape, actor.look.colour} & words]
        item = actor.before if "start" in words else actor.after
        if example.kind == "colour":
            assert item and answer(example) == item.colour
        elif example.kind == "place":
            corner = item and f"{'top' if item.row == 0 else 'bottom'} {'left' if item.column == 0 else 'right'}"
            assert answer(example) == (corner or "nowhere")
        else:
            assert (answer(example) == "stays") == (actor.before == actor.after)


def test_true_answers_of_how2qa_hold_in_the_clip() -> None:
    for example in TRAIN["mini-how2qa"][:300]:
        actors = Clip.parse(example.images[0]).actors
        (actor,) = [actor for actor in actors if answer(example) in (actor.look.shape, actor.look.colour)]
        if example.kind == "deed":
            assert example.subtitles == f"take the one that {VERBS[actor.action]}!"
        elif example.kind == "turn":
            assert actor is actors["second" in example.subtitles]
        else:
            item = actor.at(0 if "start" in example.subtitles else FRAMES - 1)
            assert item and f"at the {place(item)} at the" in example.subtitles


@pytest.mark.parametrize("name", ["mini-tvc", "mini-yc2c"])
def test_captions_name_what_was_heard_in_its_order_and_where_it_acts(name: str) -> None:
    for example in TRAIN[name][:300]:
        heard = [word for word in re.findall(r"\w+", example.subtitles) if word in (*PEOPLE, *FOODS)]
        clip = Clip.parse(example.images[0])
        half = "(8-15)" in example.text
        acting = clip.actors[:2] if name == "mini-yc2c" else clip.actors[half : half + 1]
        goals = [place(actor.after or actor.look) for actor in acting if actor.action in ("move", "leave", "appear")]
        for caption in example.references:
            assert [word for word in re.findall(r"\w+", caption) if word in (*PEOPLE, *FOODS)] == heard
            assert all(goal in caption for goal in goals)
