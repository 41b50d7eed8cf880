"""Compacter: bottleneck adapters of Kronecker layers after every sub-layer, as in VL-Adapter."""

from __future__ import annotations

from functools import partial

from pydantic import Field
from torch import nn

from methods.adapter import Adapters
from methods.base import TaskContext
from methods.blocks import Bottleneck
from methods.kronecker import KroneckerLinear, Rules
from methods.papers import compacter
from methods.routing import PerTask
from methods.sites import Backbone, share


class SingleCompacter(Adapters):
    """A(h) = h + φ(h H_D + b_D) H_U + b_U on every sub-layer output h, H = Σᵢ Rᵢ ⊗ Wᵢ; shared by all tasks.

    Placed as `SingleAdapter`, and the same norms train. i runs to ``divisions``; each H has rules Rᵢ and full factors
    Wᵢ of its own, as in VL-Adapter's scripts (`KroneckerLinear`). φ is the tanh-approximated GELU.
    """

    name = "compacter-single"
    title = "Single Compacter"
    paper = compacter("section 4; placement, sizes and sharing from VL-Adapter's code")

    divisions: int = Field(2, ge=1, description="products summed in a Kronecker layer, and size of its rules")

    def adapter(self, context: TaskContext, width: int, units: int) -> nn.Module:
        """A bottleneck of two Kronecker layers."""
        layer = partial(KroneckerLinear, divisions=self.divisions)
        return Bottleneck(width, units, layer, layer)


class MultipleCompacters(SingleCompacter):
    """The single Compacter with an adapter per task at every place: nothing is shared but the norms."""

    name = "compacter-multiple"
    title = "Multiple Compacters"
    needs_task = True

    def adapter(self, context: TaskContext, width: int, units: int) -> nn.Module:
        """One bottleneck per task."""
        return PerTask(context, partial(super().adapter, context, width, units))


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
        layer = partial(KroneckerLinear, divisions=self.divisions, rank=self.factor_rank, rules=rules)
        self.place(model, lambda width, units: Bottleneck(width, units, layer, layer))
