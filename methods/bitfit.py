"""BitFit: only bias vectors learn."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from methods.base import Method, Paper, TaskContext
from methods.sites import Backbone, unfreeze


class BitFit(Method):
    """Every parameter whose name contains "bias" trains: those of linear layers and of norms.

    This is VL-PET's selection by name. T5 has no bias vectors; there the same rule finds the two tables of
    relative position biases, as the published code does.
    """

    name = "bitfit"
    title = "BitFit"
    paper = Paper(
        key="benzaken2022bitfit",
        title="BitFit: Simple Parameter-efficient Fine-tuning for Transformer-based Masked Language-models",
        url="https://arxiv.org/abs/2106.10199",
        year=2022,
        section="section 3",
    )
    identity_at_start = True
    mergeable = True
    presets: ClassVar = {"t5": {"learning_rate": 3e-3}}

    learning_rate: float = Field(1e-3, gt=0, description="peak learning rate")

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Unfreeze the biases."""
        unfreeze(model, "bias")
