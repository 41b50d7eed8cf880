"""What every task must keep, found in the package rather than listed here."""

import importlib
import inspect
import os
import pkgutil
from pathlib import Path

import pytest

import tasks
from tasks import ROLES, DataError, Example, SubmittedTask, Task
from tasks.floors import floors
from tasks.suites import known


def found() -> list[type[Task]]:
    """Every concrete task defined in a module of the package whose name has no leading underscore."""
    modules = [
        importlib.import_module(f"tasks.{info.name}")
        for info in pkgutil.iter_modules(tasks.__path__)
        if not info.name.startswith("_")
    ]
    return [
        member
        for module in modules
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Task) and not inspect.isabstract(member) and member.__module__ == module.__name__
    ]


KINDS = found()


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def task(request: pytest.FixtureRequest, synthetic_data: Path) -> Task:
    """The task on its real data where they are, else on their miniature."""
    folder = os.environ.get("HARNESS_DATA")
    real = request.param(Path(folder)) if folder else None
    if real is not None and real.missing() is None:
        return real
    made = request.param(synthetic_data)
    assert made.missing() is None
    return made


def perfect(example: Example) -> str:
    """The heaviest target, which no prediction beats."""
    return max(zip(example.weights, example.targets, strict=True))[1] if example.targets else example.references[0]


def test_names_are_unique():
    names = [kind.name for kind in KINDS]
    assert len(names) >= 4 and len(set(names)) == len(names)


def test_the_card_is_complete(task):
    card = task.card
    hidden = {"submit"} if isinstance(task, SubmittedTask) else set()
    assert set(card.splits) == {*ROLES, *hidden}
    assert card.splits["select"] != card.splits["report"]
    assert all((card.title, card.summary, card.source, card.licence, card.metric.version, card.cluster))
    assert all(card.splits.values())
    assert task.version and isinstance(task.prefix, str)
    assert (type(task).__doc__ or "").strip()


def test_examples_are_well_formed(task):
    for role in ROLES:
        examples = task.examples(role)
        assert examples
        assert len({example.id for example in examples}) == len(examples)
        for example in examples:
            assert len(example.weights) == len(example.targets)
            assert all(weight > 0 for weight in example.weights)
            assert example.references and example.cluster
            assert role != "train" or all(target.strip() for target in example.targets)
            assert not task.decoding.choices or set(example.references) <= set(task.decoding.choices)


def test_roles_share_no_image(task):
    images = {role: {i for example in task.examples(role) for i in example.images} for role in ROLES}
    assert not images["train"] & images["select"]
    assert not images["train"] & images["report"]
    assert not images["select"] & images["report"]


def test_examples_have_their_images(task):
    for role in ROLES:
        images = task.images(role)
        named = {i for example in task.examples(role) for i in example.images}
        assert named <= set(images.ids())
        assert images.name and images.fingerprint
        source = task.precomputed("any")
        for image in sorted(named)[:2]:
            if source is None:
                assert images.open(image).mode == "RGB"
            else:
                assert source.read(images.feature_name(image)).shape == (source.tokens, source.width)
                with pytest.raises(DataError, match="there are features, but no pictures"):
                    images.open(image)


def test_perfect_predictions_reach_the_floors_and_empty_ones_score_nothing(task):
    examples = task.examples("report")
    best = task.score(examples, [perfect(example) for example in examples])
    nothing = task.score(examples, [""] * len(examples))
    assert len(best.per_example) == len(nothing.per_example) == len(examples)
    assert nothing.value == 0.0
    lower = floors(task)
    assert set(lower) == {"majority", "question-only", "guessing"}
    assert all(floor is None or 0 <= floor <= best.value for floor in lower.values())
    assert lower["majority"] is not None and best.value > lower["majority"]


def test_the_same_data_give_the_same_fingerprint_and_examples(task):
    again = type(task)(task.data)
    assert again.fingerprint() == task.fingerprint()
    assert list(again.examples("report")) == list(task.examples("report"))
    assert again.images("report").fingerprint == task.images("report").fingerprint


def test_a_single_task_is_of_its_named_suites_kind() -> None:
    suites = known(["mini-vqa", "mini-tvqa", "daquar"])
    assert suites["mini-tvqa"].kind == "video-text"
    assert suites["mini-vqa"].kind == suites["daquar"].kind == "image-text"
