"""Full fine-tuning: the reference that every method is measured against."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from methods.base import Method, TaskContext
from methods.papers import vl_adapter
from methods.sites import Backbone, unfreeze


class FullFineTuning(Method):
    """Every parameter of the language model trains, the token table (tied to the output head) included.

    Trained: 100 % by definition. Learning rates: VL-Adapter's scripts for BART, Ladder Side-Tuning's for T5.
    """

    name = "full"
    title = "Full fine-tuning"
    paper = vl_adapter("section 4, full fine-tuning")
    identity_at_start = True
    mergeable = True
    presets: ClassVar = {"bart/video-text": {"learning_rate": 3e-5}}

    learning_rate: float = Field(1e-4, gt=0, description="peak learning rate")

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Unfreeze everything."""
        unfreeze(model, ".")
