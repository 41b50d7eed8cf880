"""The contract of methods: rules that every method keeps, whoever wrote it, as checks for any test suite.

In a test file, `pytest` then has one test per rule and family of backbones:

    import pytest
    from harness.contract import checks
    from scaling import Scaling

    @pytest.mark.parametrize("check", checks(Scaling), ids=str)
    def test_keeps_the_contract(check):
        check()
"""

from harness.contract.kit import Check, Outcome, checks, outcomes, refusal, slow_checks
from harness.contract.rules import Broken

__all__ = ["Broken", "Check", "Outcome", "checks", "outcomes", "refusal", "slow_checks"]
