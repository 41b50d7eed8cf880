"""What every task must keep, found in the package rather than listed here."""

import importlib
import inspect
import os
import pkgutil
from functools import cache
from pathlib import Path

import pytest

import tasks
from harness.contract.checks import Check
from harness.contract.task_rules import BY_ROLE, DECLARED, OVER_ROLES, perfect, sampled
from tasks import ROLES, Task
from tasks._folder import FolderTask
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
    made = request.param(Path(folder)) if folder else None
    if made is None or made.missing() is not None:
        made = request.param(synthetic_data)
        assert made.missing() is None
    made.examples = cache(made.examples)  # embedded tasks draw them anew each time
    return made


def test_names_are_unique():
    names = [kind.name for kind in KINDS]
    assert len(names) >= 4 and len(set(names)) == len(names)


@pytest.mark.parametrize("rule", (*DECLARED, *OVER_ROLES), ids=lambda rule: rule.__name__)
def test_keeps_the_contract(task, rule):
    Check(rule, task)()


@pytest.mark.parametrize("rule", BY_ROLE, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("role", ROLES)
def test_keeps_the_contract_in_every_role(task, rule, role):
    Check(rule, task, role)()


def test_files_are_told_where_there_are_some(task):
    """`data status` calls a task without files embedded."""
    if isinstance(task, FolderTask):
        parts = task.parts()
        assert parts and all(part.there for part in parts if part.needed)
        assert not type(task)().parts()


def test_floors_are_below_perfect_predictions(task):
    examples = sampled(task.examples("report"))
    best = task.score(examples, [perfect(example) for example in examples])
    lower = floors(task, examples)
    assert set(lower) == {"majority", "question-only", "guessing"}
    lowest = -1 if task.card.metric.name == "matthews" else 0
    assert all(floor is None or lowest <= floor <= best.value for floor in lower.values())
    assert lower["majority"] is not None and best.value > lower["majority"]


def test_a_single_task_is_of_its_named_suites_kind() -> None:
    suites = known(["mini-vqa", "mini-tvqa", "daquar", "glue/rte"])
    assert suites["mini-tvqa"].kind == "video-text"
    assert suites["glue/rte"].kind == "text"
    assert suites["mini-vqa"].kind == suites["daquar"].kind == "image-text"
