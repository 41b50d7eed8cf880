"""BitFit: only bias vectors learn."""

from __future__ import annotations

from pydantic import Field

from methods.base import Method, Paper, TaskContext
from methods.sites import Backbone, unfreeze_biases


class BitFit(Method):
    """Every bias vector of the language model trains: those of linear layers and of norms, as in VL-PET.

    T5 has none, so it is refused: VL-PET's selection by name would find its two tables of relative position biases
    there, which are no bias vectors.
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

    learning_rate: float = Field(1e-3, gt=0, description="peak learning rate")

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Unfreeze the biases.

        Raises:
            ValueError: the backbone has none.
        """
        if not unfreeze_biases(model):
            raise ValueError(f"{model.family.upper()} has no bias vectors to train; they would have to be added")
