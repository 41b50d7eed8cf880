"""Prompt tuning: learned vectors before the text, made by a small network."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from methods.base import Method, Paper, TaskContext
from methods.routing import PerTask
from methods.sites import Backbone, prompt


class SoftPrompt(nn.Module):
    """() -> P of shape (length, width), P = W₂ tanh(W₁ E + b₁) + b₂ with E a (length, width) table."""

    def __init__(self, length: int, width: int, hidden: int) -> None:
        super().__init__()
        self.table = nn.Embedding(length, width)
        self.network = nn.Sequential(nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, width))

    def forward(self) -> Tensor:
        """All prompt vectors, (length, width)."""
        return self.network(self.table.weight)


class SinglePrompt(Method):
    """One soft prompt before the encoder's text, shared by all tasks; the decoder attends to it too.

    On BART prompts get no position but pass the embedding norm with the text. No norm and no bias of the
    language model trains. The network stays at inference, as in the published code.
    """

    name = "prompt-single"
    title = "Single prompt"
    paper = Paper(
        key="lester2021prompt",
        title="The Power of Scale for Parameter-Efficient Prompt Tuning",
        url="https://arxiv.org/abs/2104.08691",
        year=2021,
        section="section 2; network and sizes from VL-Adapter's code",
    )
    presets: ClassVar = {
        "bart/video-text": {"learning_rate": 3e-4},
        "t5": {"learning_rate": 3e-3},
        "mini-bart": {"length": 10, "hidden": 128},
    }

    length: int = Field(40, ge=1, description="number of prompt vectors")
    hidden: int = Field(800, ge=1, description="hidden units of the network that makes them")

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Place the prompt before the text."""
        prompt(model, model.initialise(SoftPrompt(self.length, model.width, self.hidden)))


class MultiplePrompts(SinglePrompt):
    """A soft prompt per task, with a table and a network of its own, before the encoder's text.

    The encoder reads the prompt of the task of the batch. Like `SinglePrompt` in everything else.
    """

    name = "prompt-multiple"
    title = "Multiple prompts"
    needs_task = True

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Place the task's prompt before the text."""
        own = PerTask(context, lambda: SoftPrompt(self.length, model.width, self.hidden))
        prompt(model, model.initialise(own))
