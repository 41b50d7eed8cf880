import time

import pytest

from tasks import Card, Decoding, Example, ImageSet, Metric, Scored, Task
from tasks.floors import floors
from tasks.metrics import cider as cider_metric
from tasks.metrics.exact import METRIC as EXACT
from tasks.metrics.exact import exact


class Listed(Task):
    """A task from lists of examples; scored by exact match, or by CIDEr."""

    name = "listed"
    version = "1"
    prefix = ""

    def __init__(self, train, report, metric: Metric = EXACT):
        super().__init__()
        self.roles = {"train": train, "select": [], "report": report}
        self.metric = metric

    @property
    def card(self) -> Card:
        splits = {"train": "train", "select": "dev", "report": "test"}
        return Card(title="t", summary="s", source="here", licence="none", splits=splits, metric=self.metric)

    def fingerprint(self) -> str:
        return "0"

    def examples(self, role):
        return self.roles[role]

    def images(self, role) -> ImageSet:
        raise AssertionError("floors look at no image")

    def score(self, examples, predictions) -> Scored:
        references = [example.references for example in examples]
        if self.metric.name == "cider":
            return Scored(*cider_metric.cider(predictions, references))
        return Scored(*exact(predictions, references))


def asked(text, *answers, weights=None):
    return Example("", text, ("i",), answers, (1.0,) * len(answers) if weights is None else weights, answers)


def test_majority_goes_by_weight_not_by_count():
    train = [
        asked("q", "no", weights=(0.3,)),
        asked("q", "no", weights=(0.3,)),
        asked("q", "yes", weights=(1.0,)),
    ]
    assert floors(Listed(train, [asked("q", "yes")]))["majority"] == 1.0


def test_a_question_is_answered_by_its_twin_then_by_its_first_words_then_by_the_majority():
    train = [
        asked("what colour is the sky today", "blue"),
        asked("what colour is the sky today", "blue"),
        asked("what colour is the grass", "green"),
        asked("what colour is the sun", "green"),
        asked("what colour is the moon", "green"),
        asked("how many", "2"),
        asked("how many", "2"),
        asked("how many dogs", "1"),
    ]
    report = [
        asked("What colour is the sky today", "blue"),  # the same text
        asked("what colour is the sky", "blue"),  # its first five words
        asked("what colour is the floor", "green"),  # first four
        asked("how many", "2"),  # the same text
        asked("how many dogs bark", "1"),  # first three
        asked("how fast", "2"),  # first word
        asked("where", "green"),  # the majority
    ]
    result = floors(Listed(train, report))
    assert result["question-only"] == 1.0
    assert result["majority"] == pytest.approx(2 / 7)


def test_targets_without_weights_count_one_each():
    train = [asked("q", "yes", "yes", "no", weights=()), asked("q", "no", weights=(0.5,))]
    assert floors(Listed(train, [asked("q", "yes")])) == {"majority": 1.0, "question-only": 1.0, "guessing": None}


def test_only_the_given_examples_are_scored():
    train = [asked("q", "yes")]
    task = Listed(train, [asked("q", "yes"), asked("q", "no")])
    assert (floors(task)["majority"], floors(task, task.examples("report")[1:])["majority"]) == (0.5, 0.0)


def test_a_tie_goes_to_the_first_in_the_alphabet():
    assert floors(Listed([asked("q", "b"), asked("q", "a")], [asked("q", "a")]))["majority"] == 1.0


def test_a_task_without_texts_has_no_question_only_floor():
    assert floors(Listed([asked("", "a")], [asked("", "a")])) == {
        "majority": 1.0,
        "question-only": None,
        "guessing": None,
    }


def test_captions_take_the_training_caption_that_describes_most():
    common, odd = "a dog runs on the grass", "a plate of food"
    train = [asked("", f"a dog runs in field {n}", common) for n in range(8)]
    train += [asked("", odd), asked("", "two men sit")]
    task = Listed(train, train, cider_metric.METRIC)
    best = task.score(train, [common] * len(train)).value
    found = floors(task)
    assert found["majority"] == pytest.approx(best)
    assert best > task.score(train, [odd] * len(train)).value
    assert floors(task) == found  # drawn by seed


def test_ten_thousand_questions_take_less_than_two_seconds():
    train = [asked(f"what is the colour of thing number {n % 900} here", str(n % 50)) for n in range(10_000)]
    start = time.perf_counter()
    floors(Listed(train, train))
    assert time.perf_counter() - start < 2


def test_guessing_picks_one_of_the_choices_that_a_text_or_the_decoding_offers():
    class Offering(Listed):
        offered = 5

    class Choosing(Listed):
        decoding = Decoding(choices=("true", "false"))

    found = [floors(kind([asked("q", "a")], [asked("q", "a")]))["guessing"] for kind in (Listed, Offering, Choosing)]
    assert found == [None, 0.2, 0.5]
