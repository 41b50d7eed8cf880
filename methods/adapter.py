"""Bottleneck adapters after every sub-layer, as in VL-Adapter."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import nn

from methods.base import Method, TaskContext
from methods.blocks import Bottleneck, bottleneck_rank
from methods.papers import vl_adapter
from methods.sites import Backbone, around, unfreeze_norms


class SingleAdapter(Method):
    """A(h) = h + U φ(D h + b_D) + b_U on every sub-layer output h, shared by all tasks.

    Placed before dropout, residual sum and norm, after self-attention and feed-forward layers of both stacks
    and after cross-attention: 30 adapters on BART-base. φ is the tanh-approximated GELU; no dropout, no
    scaling. All layer norms of BART train too; on T5 the published code trains none, because its selection
    misses them.
    """

    name = "adapter-single"
    title = "Single adapter"
    paper = vl_adapter("section 3")
    presets: ClassVar = {
        "bart/video-text": {"learning_rate": 3e-4},
        "t5": {"reduction_factor": 4, "learning_rate": 3e-4},
    }

    learning_rate: float = Field(1e-3, gt=0, description="peak learning rate")
    reduction_factor: int = Field(8, ge=1, description="width of the model over width of the bottleneck")

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Put an adapter on every site.

        Raises:
            ValueError: the bottleneck would have no unit.
        """
        for site in model.sites:
            rank = bottleneck_rank(site.width, self.reduction_factor)
            adapter = Bottleneck(nn.Linear(site.width, rank), nn.Linear(rank, site.width))
            around(site, model.initialise(adapter))
        if model.family == "bart":
            unfreeze_norms(model)
