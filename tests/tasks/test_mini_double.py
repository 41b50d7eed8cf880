"""The embedded tasks at twice the data: the base tasks with more to learn from, and nothing else."""

from collections.abc import Iterator

import pytest

from tasks.mini import task as mini
from tasks.mini.task import MiniTask
from tasks.mini_double import MiniCaptionDouble, MiniGqaDouble, MiniNlvrDouble, MiniVqaDouble
from tasks.suites import NAMED

DOUBLES = (MiniVqaDouble, MiniGqaDouble, MiniNlvrDouble, MiniCaptionDouble)


@pytest.fixture(scope="module")
def a_tenth() -> Iterator[None]:
    """The embedded world with a tenth of its scenes and of what is asked about them."""

    def forget() -> None:
        mini.scenes.cache_clear()
        mini.scene_images.cache_clear()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mini, "SCENES", {role: count // 10 for role, count in mini.SCENES.items()})
        for kind in (*DOUBLES, *(double.__base__ for double in DOUBLES)):
            patch.setattr(kind, "counts", {role: count // 10 for role, count in kind.counts.items()})
        forget()
        yield
    forget()


@pytest.mark.parametrize("double", DOUBLES, ids=lambda double: double.name)
def test_there_is_twice_as_much_to_learn_from(double: type[MiniTask]) -> None:
    counts = double.__base__.counts
    assert double.counts == {**counts, "train": 2 * counts["train"]}


@pytest.mark.usefixtures("a_tenth")
@pytest.mark.parametrize("double", DOUBLES, ids=lambda double: double.name)
def test_only_the_training_examples_are_more(double: type[MiniTask]) -> None:
    base, task = double.__base__(), double()
    first, all_of_them = list(base.examples("train")), list(task.examples("train"))
    assert len(all_of_them) == 2 * len(first) > 100
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
