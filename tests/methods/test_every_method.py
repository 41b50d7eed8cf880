"""The contract, for everything that discovery finds."""

from __future__ import annotations

import pytest
from tiny_backbone import CONFIGS, METHODS

from harness.contract import checks, refusal, slow_checks

REFUSED = {("t5", "bitfit")}  # methods that cannot serve a family, and say so
SLOW = [name for name in METHODS.names() if not METHODS.get(name).usual]


def of_every_method(made):
    """The checks of all methods on the families that they serve; those of the long tail are slow."""
    return [
        pytest.param(check, marks=[pytest.mark.slow] * (name in SLOW))
        for name in METHODS.names()
        for check in made(METHODS.get(name), families=[f for f in CONFIGS if (f, name) not in REFUSED])
    ]


def test_discovery_finds_the_methods_and_no_broken_file():
    assert len(METHODS.names()) >= 7
    assert not METHODS.broken
    assert all(METHODS.get(name) for name in METHODS.names())
    assert all(name.startswith("peft/") for name in SLOW)


@pytest.mark.parametrize(("family", "name"), sorted(REFUSED))
def test_a_method_that_cannot_serve_a_family_says_so(family, name):
    error = refusal(METHODS.get(name), family)
    assert isinstance(error, ValueError)
    assert f"{family} has no" in str(error).lower()


@pytest.mark.parametrize("check", of_every_method(checks), ids=str)
def test_keeps_the_contract(check):
    check()


@pytest.mark.slow
@pytest.mark.parametrize("check", of_every_method(slow_checks), ids=str)
def test_keeps_the_slow_part_of_the_contract(check):
    check()
