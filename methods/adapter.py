"""Bottleneck adapters after every sub-layer, as in VL-Adapter: one for all tasks, one per task, or half of each."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import linear

from methods.base import Method, TaskContext
from methods.blocks import Bottleneck, Build, reduced
from methods.papers import compacter, vl_adapter
from methods.prompt_tuning import SinglePrompt
from methods.routing import PerTask
from methods.sites import Backbone, around, unfreeze_norms


class Adapters(Method):
    """A module on every sub-layer output, placed as `SingleAdapter` says; sub-classes build it."""

    presets: ClassVar = {"bart/video-text": {"learning_rate": 3e-4}, "t5": {"learning_rate": 3e-4}}

    reduction_factor: int = Field(8, ge=1, description="width of the model over width of the bottleneck")

    @abstractmethod
    def adapter(self, context: TaskContext, width: int, units: int) -> nn.Module:
        """Build the adapter of one site, (x, h) -> A(h), with so many hidden units."""

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Put an adapter on every site.

        Raises:
            ValueError: the bottleneck would have no unit, or a size does not divide as it must.
        """
        self.place(model, lambda width, units: self.adapter(context, width, units))

    def place(self, model: Backbone, build: Callable[[int, int], nn.Module]) -> None:
        """Put on every site what is built for its width and so many hidden units; unfreeze the norms of BART."""
        for site in model.sites:
            units = reduced(site.width, self.reduction_factor)
            around(site, model.initialise(build(site.width, units)))
        if model.family == "bart":
            unfreeze_norms(model)


class SingleAdapter(Adapters):
    """A(h) = h + U φ(D h + b_D) + b_U on every sub-layer output h, shared by all tasks.

    Placed before dropout, residual sum and norm, after self-attention and feed-forward layers of both stacks
    and after cross-attention: 30 adapters on BART-base. φ is the tanh-approximated GELU; no dropout, no
    scaling. All layer norms of BART train too; on T5 the published code trains none, because its selection
    misses them.
    """

    name = "adapter-single"
    title = "Single adapter"
    paper = vl_adapter("section 3")
    presets: ClassVar = {**Adapters.presets, "t5": {"reduction_factor": 4, "learning_rate": 3e-4}}

    def adapter(self, context: TaskContext, width: int, units: int) -> nn.Module:
        """One bottleneck."""
        return Bottleneck(width, units)


class MultipleAdapters(Adapters):
    """A_τ(h) = h + U_τ φ(D_τ h + b_D,τ) + b_U,τ with τ the task of the batch: every task has adapters of its own.

    Placed as `SingleAdapter`, and the same norms train. The learning rate is that of VL-Adapter's script for BART.
    """

    name = "adapter-multiple"
    title = "Multiple adapters"
    paper = vl_adapter("section 3, multiple adapters")
    needs_task = True

    learning_rate: float = Field(3e-4, gt=0, description="peak learning rate")

    def adapter(self, context: TaskContext, width: int, units: int) -> nn.Module:
        """One bottleneck per task."""
        return PerTask(context, lambda: Bottleneck(width, units))


class HalfSharedUp(MultipleAdapters):
    """A_τ(h) = h + U φ(D_τ h + b_D,τ) + b_U: the tasks share the up-projection and its bias, not the down-projection.

    Placed as `SingleAdapter`, and the same norms train. Of the two half-shared variants this one gives the paper's
    8.36 %. The learning rate is that of multiple adapters; no script was published.
    """

    name = "adapter-half-shared-up"
    title = "Half-shared adapters, up-projection shared"
    paper = vl_adapter("section 3, half-shared adapters")

    def adapter(self, context: TaskContext, width: int, units: int) -> nn.Module:
        """A bottleneck with a down-projection per task."""
        return Bottleneck(width, units, down=own_linear(context))


class HalfSharedDown(MultipleAdapters):
    """A_τ(h) = h + U_τ φ(D h + b_D) + b_U,τ: the tasks share the down-projection and its bias, not the up-projection.

    Placed as `SingleAdapter`, and the same norms train. The learning rate is that of multiple adapters; no script was
    published.
    """

    name = "adapter-half-shared-down"
    title = "Half-shared adapters, down-projection shared"
    paper = vl_adapter("section 3, half-shared adapters")

    def adapter(self, context: TaskContext, width: int, units: int) -> nn.Module:
        """A bottleneck with an up-projection per task."""
        return Bottleneck(width, units, up=own_linear(context))


class AdapterWithPrompt(SingleAdapter, SinglePrompt):
    """`SingleAdapter` and `SinglePrompt` together: the prompt's vectors pass through the adapted encoder.

    On T5 the bottleneck is that of reduction factor 8 (4 for the adapter alone). No script was published; on T5 the
    learning rate is the adapter's.
    """

    name = "adapter-prompt"
    title = "Single adapter + prompt"
    paper = vl_adapter("ablation, adapter combined with prompt")
    presets: ClassVar = {**Adapters.presets, "mini-bart": SinglePrompt.presets["mini-bart"]}

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Put an adapter on every site and the prompt before the text."""
        SingleAdapter.attach(self, model, context)
        SinglePrompt.attach(self, model, context)


class LowRankAdapter(Adapters):
    """A(h) = h + U φ(D h + b_D) + b_U with D = D₁ D₂ and U = U₁ U₂, products of a small inner size; for all tasks.

    Placed as `SingleAdapter`, and the same norms train. At inner size 1 D has width + width / 8 numbers in place of
    their product; with full biases an adapter of BART-base has 2,592 numbers. The factors start xavier-uniform with
    gain √2 and the biases from zero, on both families, as in Compacter's code.
    """

    name = "adapter-lowrank"
    title = "Low-rank adapter"
    paper = compacter("experiments, low-rank adapters; placed as in VL-Adapter")

    rank: int = Field(1, ge=1, description="inner size of the products that make up D and U")

    def adapter(self, context: TaskContext, width: int, units: int) -> nn.Module:
        """A bottleneck of two low-rank layers."""
        return Bottleneck(width, units, self.low_rank, self.low_rank)

    def low_rank(self, inputs: int, outputs: int) -> nn.Module:
        """A layer of this method's inner size."""
        return LowRankLinear(inputs, outputs, self.rank)


class LowRankLinear(nn.Module):
    """y = (x L) K + b with L (inputs, rank) and K (rank, outputs), xavier-uniform with gain √2; b from zero."""

    def __init__(self, inputs: int, outputs: int, rank: int) -> None:
        super().__init__()
        self.left = nn.Parameter(torch.empty(inputs, rank))
        self.right = nn.Parameter(torch.empty(rank, outputs))
        for factor in (self.left, self.right):
            nn.init.xavier_uniform_(factor, gain=math.sqrt(2))
        # Not called "bias", which would spare it weight decay: the published code decays it.
        self.shift = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(…, inputs) -> (…, outputs)."""
        return linear(x @ self.left, self.right.T, self.shift)


def own_linear(context: TaskContext) -> Build:
    """Build a linear layer per task."""
    return lambda inputs, outputs: PerTask(context, lambda: nn.Linear(inputs, outputs))
