"""What the embedded language models learn to read and write before any task.

Exercises about a scene, in the manner of VL-T5's pre-training (ICML 2021, section 4): sentences with gaps, open
questions, whether a sentence matches, and telling everything. Kept out, so that there is something to tune: counting in
scenes, mini-vqa's variety, most kinds of relational questions, statements about two images, the task's styles of
captions, and clips with subtitles. Sentences of these (but neither all styles of captions nor questions about clips
with subtitles) are read as text with gaps, never with an answer or with the picture they are about: a language model
knows the words of its language before it is tuned. Of every form of answer some kind is learnt (numbers beside an item,
where something is, captions in other styles, what was heard about a picture): a frozen decoder says no form that it
never wrote.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from tasks.mini.clip_exercises import CLIP_ASKERS, offer_choices
from tasks.mini.clip_exercises import describe_clip as tell
from tasks.mini.clip_words import PEOPLE
from tasks.mini.clips import Clip, sample
from tasks.mini.words import PLACES, Asker, Question, a, absent, ask, descriptions, place, unique
from tasks.mini.world import COLOURS, SHAPES, Item, Scene, part_of
from tasks.mini_caption import PLAIN, STYLES
from tasks.mini_gqa import ASKERS as RELATIONAL
from tasks.mini_gqa import RELATIONS
from tasks.mini_nlvr import STATEMENTS
from tasks.mini_tvc import MiniTvc
from tasks.mini_vqa import ASKERS
from tasks.mini_yc2c import MiniYc2c

ANSWER_WORDS = (
    *("yes", "no", "true", "false", "left", "right", "above", "below", "top", "bottom", "centre", "middle"),
    *("0", "1", "2", "3", "4", "5", "6", "small", "little", "large", "big", *COLOURS, "violet", *SHAPES, "rhombus"),
)
KINDS: dict[str, Asker] = {kind: ASKERS[kind] for kind in ("colour", "shape", "size", "place", "presence")}
RELATIONAL_KINDS: dict[str, Asker] = {kind: RELATIONAL[kind] for kind in ("verify", "direction", "number")}
# What the shipped models read of captions, as text with gaps.
READ_STYLES = (STYLES["relation"], STYLES["converse"], PLAIN["list"], PLAIN["places"], STYLES["number"])
MASK = "<mask>"

Exercise = Callable[[Scene, random.Random], Question]


def account(scene: Scene) -> str:
    """Every item with its place, in reading order: "large red circle top left, small blue star centre"."""
    return ", ".join(f"{item.size} {item.colour} {item.shape} {place(item)}" for item in scene.items)


def describe(scene: Scene, generator: random.Random) -> Question:
    """Tell everything."""
    return Question("describe:", account(scene), "describe")


def answer(scene: Scene, generator: random.Random) -> Question:
    """An open question of a kind that pre-training may see."""
    question = _at_times_with_choices(ask(scene, generator, KINDS), generator)
    return replace(question, text=f"vqa: {question.text}")


def relate(scene: Scene, generator: random.Random) -> Question:
    """A relational question of a kind that pre-training may see."""
    question = ask(scene, generator, RELATIONAL_KINDS)
    return replace(question, text=f"gqa: {question.text}")


def caption(scene: Scene, generator: random.Random) -> Question:
    """A caption of a style that the task does not ask for."""
    return Question("caption: ", PLAIN[generator.choice(sorted(PLAIN))](scene, generator), "caption")


def look_up(scene: Scene, generator: random.Random) -> Question:
    """What stands at a place, or nothing."""
    item = generator.choice(scene.items)
    if generator.random() < 0.75:
        return Question(f"vqa: what is at the {place(item)}?", f"{item.size} {item.colour} {item.shape}", "look up")
    empty = sorted(set(PLACES) - {place(other) for other in scene.items})
    return Question(f"vqa: what is at the {generator.choice(empty)}?", "nothing", "look up")


def match(scene: Scene, generator: random.Random) -> Question:
    """Is a sentence true of the scene?"""
    truth = generator.random() < 0.5
    text = None
    while text is None:
        text = generator.choice(FACTS)(scene, generator, truth)
    return Question(f"match: {text}", "true" if truth else "false", "match")


def complete(scene: Scene, generator: random.Random) -> Question:
    """Fill the gaps of a true sentence about the scene."""
    text = None
    while text is None:
        text = generator.choice(FACTS)(scene, generator, True)
    return fill(text, generator, "complete")


def listen(scene: Scene, generator: random.Random) -> Question:
    """A question whose subtitles say which item is meant."""
    found = [
        (item, attribute, name)
        for item in scene.items
        for attribute in ("colour", "shape", "size", "place")
        for name in unique(scene, item, without=attribute)
    ]
    item, attribute, name = generator.choice(found)
    if attribute == "place":
        question = Question("where is it?", place(item), "heard")
    else:
        question = Question(f"what {attribute} is it?", getattr(item, attribute), "heard")
    question = _at_times_with_choices(question, generator)
    said = f"{generator.choice(PEOPLE)}: watch the {name.say(generator)}!"
    return replace(question, text=f"vqa: [Subs] {said} [Q] {question.text}")


def clip_question(clip: Clip, generator: random.Random) -> Question:
    """An open question about a clip."""
    asker = CLIP_ASKERS[generator.choice(sorted(CLIP_ASKERS))]
    question = _at_times_with_choices(asker(clip, generator), generator)
    return replace(question, text=f"vqa: {question.text}")


def _at_times_with_choices(question: Question, generator: random.Random) -> Question:
    return offer_choices(question, generator) if generator.random() < 0.25 else question


def describe_clip(clip: Clip, generator: random.Random) -> Question:
    """Tell a clip."""
    return Question("describe:", tell(clip), "clip describe")


def about_one(pair: Sequence[Scene], exercise: Exercise, generator: random.Random) -> Question:
    """An exercise about one of two pictures: "vqa: in the left image, what size is the star?"."""
    side = generator.randrange(2)
    question = exercise(pair[side], generator)
    prefix, text = question.text.split(": ", 1)
    return replace(question, text=f"{prefix}: in the {('left', 'right')[side]} image, {text}", kind="pair")


def sentence(scene: Scene, generator: random.Random) -> Question:
    """Fill the gaps of a task's sentence, or of a list of words that answers may use; not about the picture."""
    choice = generator.randrange(6)
    if choice == 0:
        text = ask(scene, generator, ASKERS).text
    elif choice == 1:
        text = ask(scene, generator, RELATIONAL).text
    elif choice == 2:
        text = STATEMENTS[generator.choice(sorted(STATEMENTS))](generator)[0]
    elif choice == 3:
        text = generator.choice(READ_STYLES)(scene, generator)
    elif choice == 4:
        task = generator.choice((MiniTvc(), MiniYc2c()))
        text = generator.choice(task.example("", sample(generator, part_of(scene)), generator).targets)
    else:
        text = " ".join(generator.sample(ANSWER_WORDS, 6))
    return fill(text, generator, "sentence")


def fill(text: str, generator: random.Random, kind: str) -> Question:
    """Fill the gaps of a text."""
    return Question(f"fill: {hide(text, generator)}", text, kind)


def hide(text: str, generator: random.Random) -> str:
    """Replace about a fifth of the words by a mask, at least one."""
    words = text.split(" ")
    hidden = {i for i in range(len(words)) if generator.random() < 0.2} or {generator.randrange(len(words))}
    return " ".join(MASK if i in hidden else word for i, word in enumerate(words))


def _something_there(scene: Scene, generator: random.Random, truth: bool) -> str | None:
    """There is a thing of these attributes, of which each does occur."""
    nothing = absent(scene, generator)
    options = [each for item in scene.items for each in descriptions(item) if each.colour and each.shape]
    chosen = generator.choice(options) if truth else nothing
    return f"there is {a(chosen.say(generator))}" if chosen else None


def _stands_at(scene: Scene, generator: random.Random, truth: bool) -> str | None:
    """A named item stands at a place."""
    item, name = _named(scene, generator)
    where = place(item) if truth else generator.choice([other for other in PLACES if other != place(item)])
    return f"the {name} is at the {where}"


def _stands_in_relation(scene: Scene, generator: random.Random, truth: bool) -> str | None:
    """A named item stands in a relation to another."""
    one, name = _named(scene, generator)
    other, other_name = _named(scene, generator)
    words = [words for words, holds in RELATIONS.values() if holds(one, other) == truth]
    if one == other or not words:
        return None
    return f"the {name} is {generator.choice(generator.choice(words))} the {other_name}"


def _named(scene: Scene, generator: random.Random) -> tuple[Item, str]:
    """An item that has a name of its own, and one of those names."""
    options = [(item, names) for item in scene.items if (names := unique(scene, item))]
    item, names = generator.choice(options)
    return item, generator.choice(names).say(generator)


FACTS = (_something_there, _stands_at, _stands_in_relation)
