"""The rules of methods as checks, on every family of backbones."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from harness.contract.checks import Check, Outcome, State, in_words
from harness.contract.rules import RULES, SLOW_RULES, declaration
from harness.contract.tiny import CONFIGS, build
from methods import Method

FAMILIES = tuple(CONFIGS)


def checks(*methods: type[Method], families: Collection[str] = FAMILIES) -> list[Check]:
    """All quick checks; leave out of ``families`` what the methods refuse in `attach`."""
    found = []
    for method in methods:
        found.append(Check(declaration, method))
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
        yield check.outcome()
