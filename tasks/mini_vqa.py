"""mini-vqa: open questions about one scene, ten simulated annotators, soft VQA accuracy."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import ClassVar

from tasks.base import Example, Role, Scored
from tasks.metrics.vqa import METRIC, vqa_accuracy
from tasks.mini.task import ANSWER_DECODING, MiniTask, scenes
from tasks.mini.words import Asker, Question, a, absent, ask, balanced, descriptions, place, unique
from tasks.mini.world import COLOURS, SHAPES, Scene

ANNOTATORS = 10
_SLIP = 0.06  # chance that an annotator is wrong
_SYNONYM = 0.15  # chance that an annotator uses the other word
_SYNONYMS = {"large": "big", "small": "little", "purple": "violet", "centre": "middle", "diamond": "rhombus"}


def _pick(generator: random.Random, *texts: str) -> str:
    return generator.choice(texts)


def ask_colour(scene: Scene, generator: random.Random) -> Question | None:
    """What colour is the one shape described without its colour?"""
    found = [
        (_pick(generator, f"what colour is the {name}?", f"which colour does the {name} have?"), item.colour)
        for item in scene.items
        for description in unique(scene, item, without="colour")
        for name in [description.say(generator)]
    ]
    return balanced(found, "colour", generator)


def ask_shape(scene: Scene, generator: random.Random) -> Question | None:
    """What shape is the one thing described without its shape?"""
    found = [
        (_pick(generator, f"what shape is the {name}?", f"which shape does the {name} have?"), item.shape)
        for item in scene.items
        for description in unique(scene, item, without="shape")
        for name in [description.say(generator)]
    ]
    return balanced(found, "shape", generator)


def ask_size(scene: Scene, generator: random.Random) -> Question | None:
    """How large is the one shape described without its size?"""
    found = [
        (_pick(generator, f"what size is the {name}?", f"how large is the {name}?"), item.size)
        for item in scene.items
        for description in unique(scene, item, without="size")
        for name in [description.say(generator)]
    ]
    return balanced(found, "size", generator)


def ask_place(scene: Scene, generator: random.Random) -> Question | None:
    """Where is the one shape described?"""
    found = [
        (_pick(generator, f"where is the {name}?", f"in which place is the {name}?"), place(item))
        for item in scene.items
        for description in unique(scene, item)
        for name in [description.say(generator)]
    ]
    return balanced(found, "place", generator)


def ask_count(scene: Scene, generator: random.Random) -> Question | None:
    """How many items fit a description?"""
    options = {description for item in scene.items for description in descriptions(item)}
    nothing = absent(scene, generator)
    found = []
    for description in sorted(options | ({nothing} if nothing else set()), key=str):
        names = description.say(generator, plural=True)
        text = _pick(generator, f"how many {names} are there?", f"how many {names} do you see?")
        found.append((text, str(len(description.among(scene)))))
    return balanced(found, "count", generator)


def ask_presence(scene: Scene, generator: random.Random) -> Question | None:
    """Is anything there that fits a description?"""
    nothing = absent(scene, generator)
    there = generator.choice([d for item in scene.items for d in descriptions(item) if d.colour and d.shape])
    found = [(there, "yes")] + ([(nothing, "no")] if nothing else [])
    texts = []
    for description, answer in found:
        name = a(description.say(generator))
        texts.append((_pick(generator, f"is there {name}?", f"do you see {name}?"), answer))
    return balanced(texts, "presence", generator)


def ask_variety(scene: Scene, generator: random.Random) -> Question | None:
    """How many different colours or shapes are there?"""
    attribute = generator.choice(("colour", "shape"))
    different = len({getattr(item, attribute) for item in scene.items})
    text = _pick(generator, f"how many different {attribute}s are there?", f"how many {attribute}s can be told apart?")
    return Question(text, str(different), "variety")


ASKERS: dict[str, Asker] = {
    "colour": ask_colour,
    "shape": ask_shape,
    "size": ask_size,
    "place": ask_place,
    "count": ask_count,
    "presence": ask_presence,
    "variety": ask_variety,
}


def annotate(question: Question, generator: random.Random) -> tuple[str, ...]:
    """Ten answers: mostly the true one, sometimes its synonym, seldom a slip of the same kind."""
    answers = []
    for _ in range(ANNOTATORS):
        answer = question.answer
        if generator.random() < _SLIP:
            answer = generator.choice(_slips(question))
        elif generator.random() < _SYNONYM:
            answer = _SYNONYMS.get(answer, answer)
        answers.append(answer)
    return tuple(answers)


def _slips(question: Question) -> Sequence[str]:
    if question.kind == "presence":
        return ("no",) if question.answer == "yes" else ("yes",)
    if question.kind in ("count", "variety"):
        return tuple(str(n) for n in (int(question.answer) - 1, int(question.answer) + 1) if n >= 0)
    words = {
        "colour": COLOURS,
        "shape": SHAPES,
        "size": ("small", "large"),
        "place": ("left", "centre", "right"),
    }
    return [word for word in words[question.kind] if word != question.answer]


class MiniVqa(MiniTask):
    """Open questions about colour, shape, size, place, number, presence and variety."""

    name = "mini-vqa"
    prefix = "vqa: "
    title = "mini-vqa"
    summary = "An open question about one scene; ten simulated annotators; soft VQA accuracy."
    metric = METRIC
    decoding = ANSWER_DECODING
    loss = "weighted-example"
    text_limit = 20
    target_limit = 10
    counts: ClassVar = {"train": 2000, "select": 300, "report": 600}

    def examples(self, role: Role) -> Sequence[Example]:
        """One question per scene."""
        made = []
        for index in range(self.counts[role]):
            scene = scenes(role)[index % len(scenes(role))]
            generator = self.generator(role, index)
            question = ask(scene, generator, ASKERS)
            answers = annotate(question, generator)
            different = sorted(set(answers))
            made.append(
                Example(
                    id=f"{index}",
                    text=question.text,
                    images=(scene.code,),
                    targets=tuple(different),
                    weights=tuple(vqa_accuracy(different, [answers] * len(different))[1]),
                    references=answers,
                    cluster=scene.code,
                    kind=question.kind,
                )
            )
        return made

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        """Official soft accuracy."""
        return Scored(*vqa_accuracy(predictions, [example.references for example in examples]))
