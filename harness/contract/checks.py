"""Checks: a rule and what it is held against, ready to be called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from methods import Method
from tasks import DataError, Task

State = Literal["passed", "failed", "refused", "skipped"]

Rule = Callable[[Any, Any], str | None]
"""Called with a method and a family of backbones, or with a task and a role; both second ones are empty for a rule
that needs none. Raises `Broken` where the rule is not kept; may return a remark that is worth showing."""


class Broken(AssertionError):
    """A plugin breaks a rule; the message is one line that says what was seen and what to do."""


@dataclass(frozen=True)
class Outcome:
    """What became of a check, or of all checks at a place that a plugin refuses."""

    name: str
    place: str  # family of backbones, or role
    check: str
    state: State
    reason: str = ""


@dataclass(frozen=True)
class Check:
    """Calling it raises `Broken` where the rule is not kept; as text it is a test's name."""

    rule: Rule
    subject: type[Method] | Task
    place: str = ""

    def __str__(self) -> str:
        return "-".join(filter(None, (self.subject.name, self.place, self.rule.__name__)))

    def __call__(self) -> str | None:
        """Apply the rule; return its remark.

        Raises:
            Broken: one line on what is wrong; an error that the plugin raised itself is its cause.
        """
        try:
            return self.rule(self.subject, self.place)
        except Broken:
            raise
        except Exception as error:
            raise Broken(in_words(error)) from error

    def outcome(self) -> Outcome:
        """Apply the rule and say what became of it."""
        place = (self.subject.name, self.place, self.rule.__name__)
        try:
            return Outcome(*place, "passed", self() or "")
        except Broken as error:
            return Outcome(*place, "failed", str(error))


def in_words(error: Exception) -> str:
    """An error in one line; ValueErrors of `attach` and errors of data are sentences for people."""
    text = " ".join(str(error).split())
    return text if type(error) in (ValueError, DataError) else f"{type(error).__name__}: {text}"
