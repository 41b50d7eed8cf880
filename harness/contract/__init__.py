"""The contracts of methods and of tasks: rules that every one keeps, whoever wrote it, as checks for any test suite.

In a test file, `pytest` then has one test per rule and family of backbones:

    import pytest
    from harness.contract import checks
    from scaling import Scaling

    @pytest.mark.parametrize("check", checks(Scaling), ids=str)
    def test_keeps_the_contract(check):
        check()

and for a task, given with its data, ``task_checks(Judging(Path("data")))`` one per rule and role.
"""

from harness.contract.checks import Broken, Check, Outcome
from harness.contract.kit import checks, outcomes, refusal, slow_checks
from harness.contract.task_kit import task_checks, task_outcomes

__all__ = [
    "Broken",
    "Check",
    "Outcome",
    "checks",
    "outcomes",
    "refusal",
    "slow_checks",
    "task_checks",
    "task_outcomes",
]
