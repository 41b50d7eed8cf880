"""The embedded tasks at twice the data: the base tasks with more to learn from, and nothing else."""

import pytest

from tasks.mini.task import MiniTask
from tasks.mini_double import MiniCaptionDouble, MiniGqaDouble, MiniNlvrDouble, MiniVqaDouble
from tasks.suites import NAMED

DOUBLES = (MiniVqaDouble, MiniGqaDouble, MiniNlvrDouble, MiniCaptionDouble)


@pytest.mark.parametrize("double", DOUBLES, ids=lambda double: double.name)
def test_only_the_training_examples_are_more(double: type[MiniTask]) -> None:
    base, task = double.__base__(), double()
    first, all_of_them = list(base.examples("train")), list(task.examples("train"))
    assert len(all_of_them) == 2 * len(first)
    assert all_of_them[: len(first)] == first
    told = {(example.text, example.images, example.targets) for example in all_of_them}
    assert len(told) > 1.9 * len(first)
    for role in ("select", "report"):
        assert list(task.examples(role)) == list(base.examples(role))
    assert all(task.images(role) is base.images(role) for role in ("train", "select", "report"))
    assert task.name == f"{base.name}-double"
    assert task.fingerprint() != base.fingerprint()


def test_the_suite_has_the_same_tasks_in_the_same_order() -> None:
    suites = {suite.name: suite for suite in NAMED}
    assert suites["mini-image-double"].tasks == tuple(double.name for double in DOUBLES)
    assert [f"{name}-double" for name in suites["mini-image"].tasks] == [double.name for double in DOUBLES]
    assert suites["mini-image-double"].kind == suites["mini-image"].kind
