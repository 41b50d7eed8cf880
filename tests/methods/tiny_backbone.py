"""The contract kit's tiny backbones, with the project's methods by name."""

from __future__ import annotations

from harness import plugins
from harness.backbones import JointBackbone
from harness.contract import tiny
from harness.contract.tiny import CONFIGS, FEATURES, TASKS, WIDTH, Attached, bare, batch, loss_of
from methods import Method, TaskContext

__all__ = [
    "CONFIGS", "FEATURES", "METHODS", "TASKS", "WIDTH", "bare", "batch", "build", "configured", "learn", "loss_of"
]  # fmt: skip

METHODS = plugins.find_methods()


def configured(name: str, family: str = "bart", **overrides: object) -> Method:
    """A method with the sizes of the embedded backbone."""
    return tiny.configured(METHODS.get(name), family, **overrides)


def build(name: str, seed: int = 0, family: str = "bart", **overrides: object) -> Attached:
    """The backbone with a method attached, as (model, context, method)."""
    return tiny.build(METHODS.get(name), family, seed, **overrides)


def learn(model: JointBackbone, context: TaskContext, steps: int = 3) -> None:
    """Take a few large optimiser steps on every task, without a loss of the method's own."""
    Attached(model, context, METHODS.get("projection")()).learn(steps)
