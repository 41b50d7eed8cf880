"""Compacter: bottleneck adapters of Kronecker layers after every sub-layer, as in VL-Adapter."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from methods.base import Method, Paper, TaskContext
from methods.blocks import Bottleneck, bottleneck_rank
from methods.kronecker import KroneckerLinear, Rules
from methods.routing import PerTask
from methods.sites import Backbone, around, share, unfreeze_norms


class SingleCompacter(Method):
    """A(h) = h + φ(h H_D + b_D) H_U + b_U on every sub-layer output h, H = Σᵢ Rᵢ ⊗ Wᵢ; shared by all tasks.

    Placed like the single adapter: before dropout, residual sum and norm, after every sub-layer. i runs to
    ``divisions``; each H has rules Rᵢ and full factors Wᵢ of its own, as in VL-Adapter's scripts (`KroneckerLinear`).
    φ is the tanh-approximated GELU. All layer norms of BART train too; on T5 none, as for the single adapter.
    """

    name = "compacter-single"
    title = "Single Compacter"
    paper = Paper(
        key="mahabadi2021compacter",
        title="Compacter: Efficient Low-Rank Hypercomplex Adapter Layers",
        url="https://arxiv.org/abs/2106.04647",
        year=2021,
        section="section 4; placement, sizes and sharing from VL-Adapter's code",
    )
    presets: ClassVar = {"bart/video-text": {"learning_rate": 3e-4}, "t5": {"learning_rate": 3e-4}}

    learning_rate: float = Field(1e-3, gt=0, description="peak learning rate")
    reduction_factor: int = Field(8, ge=1, description="width of the model over width of the bottleneck")
    divisions: int = Field(2, ge=1, description="number n of Kronecker products in a sum; rules are n x n")

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Put an adapter on every site.

        Raises:
            ValueError: the bottleneck would have no unit, or width or bottleneck cannot be divided.
        """
        self.place(model, self.adapter)

    def place(self, model: Backbone, build: Callable[[int], nn.Module]) -> None:
        """Put what is built for a width on every site of that width."""
        for site in model.sites:
            around(site, build(site.width))
        if model.family == "bart":
            unfreeze_norms(model)

    def adapter(
        self, width: int, factor_rank: int | None = None, rules: Callable[[], Tensor] | None = None
    ) -> Bottleneck:
        """One adapter; ``factor_rank`` and ``rules`` as in `KroneckerLinear`."""
        rank = bottleneck_rank(width, self.reduction_factor)
        down = KroneckerLinear(width, rank, self.divisions, factor_rank, rules)
        up = KroneckerLinear(rank, width, self.divisions, factor_rank, rules)
        return Bottleneck(down, up)


class MultipleCompacters(SingleCompacter):
    """The single Compacter with an adapter per task at every place: nothing is shared but the norms."""

    name = "compacter-multiple"
    title = "Multiple Compacters"
    needs_task = True

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Put one adapter per task on every site."""
        self.place(model, lambda width: PerTask(context, lambda: self.adapter(width)))


class SharedCompacter(SingleCompacter):
    """The original Compacter: one rule R for all layers of the model, and factors Wᵢ = Lᵢ Kᵢ of low rank.

    Sizes and placement are those of the single Compacter here; the paper's own are n = 4 and a bottleneck of 24.
    """

    name = "compacter-shared"
    title = "Compacter with shared rules"

    factor_rank: int = Field(1, ge=1, description="inner size of the products that factors are")

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Put an adapter on every site, all with the language model's rules."""
        rules = share(model, Rules(self.divisions))
        self.place(model, lambda width: self.adapter(width, self.factor_rank, rules))
