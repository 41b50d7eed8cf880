"""What every task must keep, found in the package rather than listed here."""

import importlib
import inspect
import os
import pkgutil
from pathlib import Path

import pytest

import tasks
from harness.contract.checks import Check
from harness.contract.task_rules import BY_ROLE, DECLARED, OVER_ROLES, perfect, sampled
from tasks import ROLES, Task
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


def test_floors_are_below_perfect_predictions(task):
    examples = sampled(task.examples("report"))
    best = task.score(examples, [perfect(example) for example in examples])
    lower = floors(task, examples)
    assert set(lower) == {"majority", "question-only", "guessing"}
    assert all(floor is None or 0 <= floor <= best.value for floor in lower.values())
    assert lower["majority"] is not None and best.value > lower["majority"]


def test_a_single_task_is_of_its_named_suites_kind() -> None:
    suites = known(["mini-vqa", "mini-tvqa", "daquar"])
    assert suites["mini-tvqa"].kind == "video-text"
    assert suites["mini-vqa"].kind == suites["daquar"].kind == "image-text"
