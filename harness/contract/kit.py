"""Checks: a rule, a method and a family of backbones, ready to be called."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from harness.contract.rules import RULES, SLOW_RULES, Broken, Rule, declaration
from harness.contract.tiny import CONFIGS, build
from methods import Method

FAMILIES = tuple(CONFIGS)
State = Literal["passed", "failed", "refused"]


@dataclass(frozen=True)
class Check:
    """Calling it raises `Broken` where the method does not keep the rule; as text it is a test's name."""

    rule: Rule
    method: type[Method]
    family: str  # empty for a rule that needs no backbone

    def __str__(self) -> str:
        return "-".join(filter(None, (self.method.name, self.family, self.rule.__name__)))

    def __call__(self) -> None:
        """Apply the rule.

        Raises:
            Broken: one line on what is wrong; an error that the method raised itself is its cause.
        """
        try:
            self.rule(self.method, self.family)
        except Broken:
            raise
        except Exception as error:
            raise Broken(in_words(error)) from error


@dataclass(frozen=True)
class Outcome:
    """What became of a check, or (under the name "attach") of all checks on a family that the method refuses."""

    method: str
    family: str
    check: str
    state: State
    reason: str = ""


def checks(*methods: type[Method], families: Collection[str] = FAMILIES) -> list[Check]:
    """All quick checks; leave out of ``families`` what the methods refuse in `attach`."""
    found = []
    for method in methods:
        found.append(Check(declaration, method, ""))
        found += [Check(rule, method, family) for family in families for rule in RULES]
    return found


def slow_checks(*methods: type[Method], families: Collection[str] = FAMILIES) -> list[Check]:
    """Checks that take many seconds each: full-graph compilation."""
    return [Check(rule, method, family) for method in methods for family in families for rule in SLOW_RULES]


def refusal(method: type[Method], family: str) -> Exception | None:
    """What `attach` raises on a family of backbones: ValueError where the method cannot serve it, None where it can."""
    try:
        build(method, family)
    except Exception as error:
        return error
    return None


def outcomes(method: type[Method], slow: bool = False) -> Iterator[Outcome]:
    """Run all checks of a method. To refuse a family is no failure as long as another is served."""
    errors = {family: error for family in FAMILIES if (error := refusal(method, family)) is not None}
    served = [family for family in FAMILIES if family not in errors]
    for family, error in errors.items():
        state: State = "refused" if served and isinstance(error, ValueError) else "failed"
        yield Outcome(method.name, family, "attach", state, in_words(error))
    for check in (*checks(method, families=served), *(slow_checks(method, families=served) if slow else ())):
        try:
            check()
        except Broken as error:
            yield Outcome(method.name, check.family, check.rule.__name__, "failed", str(error))
        else:
            yield Outcome(method.name, check.family, check.rule.__name__, "passed")


def in_words(error: Exception) -> str:
    """An error in one line; ValueErrors of `attach` are sentences for people."""
    text = " ".join(str(error).split())
    return text if type(error) is ValueError else f"{type(error).__name__}: {text}"
