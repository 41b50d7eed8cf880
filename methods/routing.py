"""Modules of which each task has its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from methods.base import TaskContext


class PerTask(nn.Module):
    """(…) -> what the active task's own module makes of the same arguments."""

    def __init__(self, context: TaskContext, build: Callable[[], nn.Module]) -> None:
        """Call ``build`` once for every task of the run, in their order."""
        super().__init__()
        self.context = context
        self.of_task = nn.ModuleList(build() for _ in context.tasks)

    def forward(self, *inputs: Any) -> Any:
        """Run the module of the task that the context names."""
        return self.of_task[self.context.tasks.index(self.context.task)](*inputs)
