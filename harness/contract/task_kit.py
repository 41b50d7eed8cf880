"""The rules of tasks as checks, on a task with its data."""

from __future__ import annotations

from collections.abc import Iterator

from harness.contract.checks import Check, Outcome
from harness.contract.task_rules import BY_ROLE, DECLARED, OVER_ROLES
from tasks import ROLES, Task


def task_checks(*given: Task) -> list[Check]:
    """All checks; of a task whose data are not here those that need none."""
    found = []
    for task in given:
        found += [Check(rule, task) for rule in DECLARED]
        if task.missing() is None:
            found += [Check(rule, task, role) for role in ROLES for rule in BY_ROLE]
            found += [Check(rule, task) for rule in OVER_ROLES]
    return found


def task_outcomes(task: Task) -> Iterator[Outcome]:
    """Run all checks of a task; where its data are not here, one outcome says so."""
    for check in task_checks(task):
        yield check.outcome()
    if (reason := task.missing()) is not None:
        yield Outcome(task.name, "", "data", "skipped", reason)
