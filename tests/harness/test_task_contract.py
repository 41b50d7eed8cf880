"""The contract kit tells a task that breaks a rule what is wrong, in one line, and leaves a good one alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from PIL import Image
from small_tasks import COUNTS, SmallTask, colour

from harness.contract import Check, task_checks, task_outcomes
from harness.contract.checks import Broken
from tasks import ROLES, Card, DataError, Example, ImageSet, Role, Scored


class Own(ImageSet):
    """One plain image per number of a role."""

    name, fingerprint = "own", "1"

    def ids(self) -> Sequence[str]:
        return [f"{role} {number}" for role in ROLES for number in range(COUNTS[role])]

    def open(self, image_id: str) -> Image.Image:
        return Image.new("RGB", (6, 4), colour(int(image_id.split()[1]))[1])


class Good(SmallTask):
    """Name the colour; no image is in two roles."""

    name = "good"
    prefix = "ask: "

    def examples(self, role: Role) -> Sequence[Example]:
        return [self.made(role, number) for number in range(COUNTS[role])]

    def made(self, role: Role, number: int) -> Example:
        image, answer = f"{role} {number}", colour(number)[0]
        return Example(f"{number}", "what colour", (image,), (answer,), (1.0,), (answer,), cluster=image)

    def images(self, role: Role) -> ImageSet:
        return Own()


class Misnamed(Good):
    """Blanks in the name."""

    name = "Bad Name"


class Unlicensed(Good):
    """No licence."""

    @property
    def card(self) -> Card:
        return super().card.model_copy(update={"licence": " "})


class SelfSelecting(Good):
    """One split for two roles."""

    @property
    def card(self) -> Card:
        return super().card.model_copy(update={"splits": {"train": "a", "select": "b", "report": "b"}})


class Silent(Good):
    """Says nothing sensible without data."""

    def missing(self) -> str | None:
        return "" if self.data is None else None


def changing(class_name: str, **change: object) -> type[Good]:
    """A task whose third example is another one."""

    class Changed(Good):
        """One example is wrong."""

        def made(self, role: Role, number: int) -> Example:
            return replace(super().made(role, number), **(change if number == 2 else {}))

    Changed.__name__ = class_name
    return Changed


Doubled = changing("Doubled", id="1")
Unanswered = changing("Unanswered", references=(" ",))
Weightless = changing("Weightless", weights=(0.0,))
Unfitting = changing("Unfitting", weights=(0.5, 0.5))
Blind = changing("Blind", images=("nowhere",))
Wide = changing("Wide", images=("train 0", "train 1"))


class Leaking(Good):
    """Selects on images of training."""

    def made(self, role: Role, number: int) -> Example:
        found = super().made(role, number)
        return replace(found, images=(f"train {number}",)) if role == "select" else found


class Grey(Good):
    """Images in another mode."""

    def images(self, role: Role) -> ImageSet:
        class Greys(Own):
            def open(self, image_id: str) -> Image.Image:
                return super().open(image_id).convert("L")

        return Greys()


class Empty(Good):
    """Neither text nor image."""

    def made(self, role: Role, number: int) -> Example:
        return replace(super().made(role, number), text="", images=())


class Generous(Good):
    """Counts empty predictions."""

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        return super().score(examples, [said or one.references[0] for one, said in zip(examples, predictions)])  # noqa: B905


class Mute(Good):
    """Scores nothing at all."""

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        return Scored(0.0, [0.0] * len(examples))


class Short(Good):
    """One score for all."""

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        return replace(super().score(examples, predictions), per_example=[0.0])


class Ordered(Good):
    """Only the first example counts for more than another."""

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        found = super().score(examples, predictions)
        return replace(found, value=found.value * (1 + int(examples[0].id)))


class Drawn(Good):
    """Other examples at every reading."""

    readings = 0

    def examples(self, role: Role) -> Sequence[Example]:
        type(self).readings += 1
        return [replace(one, text=f"{one.text} {self.readings}") for one in super().examples(role)]


class Failing(Good):
    """A broken file."""

    def examples(self, role: Role) -> Sequence[Example]:
        raise DataError("questions.json: line 3: broken; fetch it again")


BROKEN = {
    Misnamed: ("declaration", "name is 'Bad Name': write lower-case words joined by '-'"),
    Unlicensed: ("declaration", "the card's licence is empty: say it"),
    SelfSelecting: ("declaration", "'b' selects and reports: keep a part of train"),
    Silent: ("absence", "missing() says '' without data: write what is missing"),
    Doubled: ("train examples", "1 ids of learn occur twice (1): give each example its own"),
    Unanswered: ("report examples", "1 of 9 examples of publish have no answer (2): give references"),
    Weightless: ("train examples", "1 of 24 examples of learn have a weight of 0 or less (2): leave the target out"),
    Unfitting: ("train examples", "example '2': 1 targets but 2 weights"),
    Blind: ("select images", "1 of 6 images are not in the image set (nowhere): add them"),
    Wide: ("train examples", "examples of learn have 1, 2 images: give all the same number"),
    Leaking: (
        "splits",
        "6 images are in learn and in choose (train 0, train 1, train 2 and 3 more), 6 (image, text) pairs too",
    ),
    Grey: ("report images", "image 'report 0' opens in mode L: return picture.convert('RGB')"),
    Empty: ("train rendering", "example '0' has neither text nor image"),
    Generous: ("scoring", "empty predictions score 1.0000: count them as wrong"),
    Mute: ("scoring", "predicting the heaviest target or first reference scores 0.0000"),
    Short: ("scoring", "score returns 1 scores of 9 examples: return one for each"),
    Ordered: ("scoring", "in another order: score each example by itself"),
    Drawn: ("repetition", "a second reading gives other examples: draw with a fixed seed"),
    Failing: ("train examples", "questions.json: line 3: broken; fetch it again"),
}


def test_a_good_task_passes_every_rule():
    outcomes = list(task_outcomes(Good()))
    assert {outcome.state for outcome in outcomes} == {"passed"}
    remarks = {outcome.place: outcome.reason for outcome in outcomes if outcome.check == "rendering"}
    assert remarks == dict.fromkeys(ROLES, "'ask: what colour', image 6 × 4 -> 'red'")
    assert [str(check) for check in task_checks(Good())][:3] == [
        "good-declaration",
        "good-absence",
        "good-train-examples",
    ]


@pytest.mark.parametrize("task", BROKEN, ids=lambda task: task.__name__)
def test_a_broken_rule_is_one_line_that_says_what_to_do(task):
    check, reason = BROKEN[task]
    found = {f"{one.place} {one.check}".strip(): one for one in task_outcomes(task()) if one.state == "failed"}
    assert check in found
    assert reason in found[check].reason and "\n" not in found[check].reason


def test_of_a_task_without_data_one_line_says_what_was_left_out():
    class Absent(Good):
        """Nothing here."""

        def missing(self) -> str:
            return "no folder"

    first, second, last = task_outcomes(Absent())
    assert (first.state, second.state) == ("passed", "passed")
    assert (last.check, last.state, last.reason) == ("data", "skipped", "no folder")


def test_an_error_of_the_task_is_the_cause_of_what_the_check_says():
    (check,) = [check for check in task_checks(Failing()) if str(check) == "good-splits"]
    with pytest.raises(Broken) as caught:
        check()
    assert isinstance(check, Check) and isinstance(caught.value.__cause__, DataError)
