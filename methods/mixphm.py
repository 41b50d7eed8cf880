"""MixPHM: randomly routed Kronecker experts on feed-forward layers, and a penalty on what they repeat."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import gelu, normalize, softplus

from methods.base import Method, Paper, TaskContext
from methods.blocks import reduced
from methods.kronecker import KroneckerLinear, Rules
from methods.sites import STACKS, Backbone, Stack, around, once_per_batch, read_ends

BATCH = 16  # of the published runs, on which the weight of N was chosen
REDUNDANCY = 3.9e-3  # λ


class MixPHM(Method):
    """y + u on every feed-forward output y, u = dropout(φ(y H + b)) H_e + b_e, e drawn for every place and batch.

    All H are Σᵢ Rᵢ ⊗ Lᵢ Kᵢ (`KroneckerLinear`), with one R for the model and one H per place; the H_e start alike. In
    evaluation one expert stands for all: the means of L, K and b over e. φ is the tanh-approximated GELU; placed before
    dropout and the residual sum. No norm trains.

    To every loss ``redundancy`` · N + ``alignment`` · J is added, averaged over the places of a stack and over both
    stacks: u shall not repeat y, and shall agree with what its stack gives in the end (`Shared`).

    All this is as in the published code, on T5 with a frozen, pre-trained visual embedding and batches of 16; the paper
    was read in abstract alone. Ours: BART, a visual embedding that trains, and an N that does not grow with the batch.
    """

    name = "mixphm"
    title = "MixPHM"
    paper = Paper(
        key="jiang2023mixphm",
        title="MixPHM: Redundancy-Aware Parameter-Efficient Tuning for Low-Resource Visual Question Answering",
        url="https://arxiv.org/abs/2303.01239",
        year=2023,
        section="method; built from the published code",
    )
    presets: ClassVar = {"mini-bart": {"reduction_factor": 4, "dropout": 0.0}}

    learning_rate: float = Field(5e-3, gt=0, description="peak learning rate")
    experts: int = Field(4, ge=1, description="up-projections of a place")
    reduction_factor: int = Field(12, ge=1, description="width of the model over width of the bottleneck")
    divisions: int = Field(4, ge=1, description="number n of Kronecker products in a sum; rules are n x n")
    factor_rank: int = Field(8, ge=1, description="inner size of the products that factors are")
    dropout: float = Field(0.5, ge=0, lt=1, description="in the bottleneck, while training")
    redundancy: float = Field(0.2, ge=0, description="weight of N in the loss")
    alignment: float = Field(0.04, ge=0, description="weight of J in the loss")

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Put a mixture on every feed-forward layer.

        Raises:
            ValueError: the bottleneck would have no unit, or width or bottleneck cannot be divided.
        """
        shared = Shared(self.divisions, self.redundancy, self.alignment)
        once_per_batch(model, context, shared)
        read_ends(model, shared.end)
        for site in model.sites:
            if site.kind == "ffn":
                around(site, self.mixture(site.width, shared, site.stack))

    def mixture(self, width: int, shared: Shared, stack: Stack) -> Mixture:
        """The experts of one place."""
        hidden = reduced(width, self.reduction_factor)

        def kronecker(inputs: int, outputs: int) -> KroneckerLinear:
            return KroneckerLinear(inputs, outputs, self.divisions, self.factor_rank, lambda: shared.rules())

        ups = [kronecker(hidden, width) for _ in range(self.experts)]
        return Mixture(kronecker(width, hidden), ups, self.dropout, lambda u, y: shared.note(stack, u, y))

    def regulariser(self, model: Backbone) -> Tensor | None:
        """The penalty of the batch that was just computed."""
        shared: Shared = model.lm.pet  # type: ignore[assignment]
        return shared.take()

    def merge(self, model: Backbone) -> None:
        """Keep one expert at each place: their mean."""
        for site in model.sites:
            if site.kind == "ffn":
                site.exit.pet.merge()  # type: ignore[operator, union-attr]


class Mixture(nn.Module):
    """(x, y) -> y + u, u = dropout(φ(down(y))) through one of ``ups``: any of them in training, else their mean."""

    def __init__(
        self, down: nn.Module, ups: list[KroneckerLinear], dropout: float, note: Callable[[Tensor, Tensor], None]
    ) -> None:
        super().__init__()
        self.down, self.ups, self.dropout, self.note = down, nn.ModuleList(ups), nn.Dropout(dropout), note
        for up in ups[1:]:
            up.load_state_dict(ups[0].state_dict())

    def forward(self, _x: Tensor, y: Tensor) -> Tensor:
        """Adapt the sub-layer's output y; its input goes unused. Both (batch, length, width)."""
        inner = self.dropout(gelu(self.down(y), approximate="tanh"))
        if self.training:
            u = self.ups[int(torch.randint(len(self.ups), ()))](inner)
        else:
            u = functional_call(self.ups[0], self.mean(), (inner,))
        self.note(u, y)
        return y + u

    def mean(self) -> dict[str, Tensor]:
        """Parameters of the expert that stands for all."""
        every = [dict(up.named_parameters()) for up in self.ups]
        return {name: torch.stack([one[name] for one in every]).mean(dim=0) for name in every[0]}

    @torch.no_grad()
    def merge(self) -> None:
        """Keep this one alone."""
        for name, value in self.mean().items():
            self.ups[0].get_parameter(name).copy_(value)
        self.ups = self.ups[:1]


class Shared(nn.Module):
    """The rules of all experts, and the penalty on what the places of a batch add: u to y.

    There are B examples and m tokens that are no padding; t is one of them, b(t) its example, û_t and ŷ_t have unit
    length, z_b is the mean of the last states of example b, and s_tb = u_t · z_b. With C = Σ_t û_t ŷ_tᵀ

    N = λ 16 / B² Σ_{i≠j} C²_ij: the published code has λ / B, which is the same at its batch of 16 but grows with B
    (both grow with the square of the tokens per example);
    J = Σ_t Σ_{b≠b(t)} (softplus(s_tb) - log 2) / (m (B - 1)) - Σ_t (log 2 - softplus(-s_tb(t))) / m.

    The published code counts as many tokens of an example, but takes its first ones, which may be padding.
    """

    def __init__(self, divisions: int, redundancy: float, alignment: float) -> None:
        super().__init__()
        self.rules = Rules(divisions)
        self.redundancy, self.alignment = redundancy, alignment
        self.noted: dict[Stack, list[tuple[Tensor, Tensor]]] = {}
        self.open = False  # from a batch's start to its end: checkpointing runs layers again after it
        self.penalty: Tensor | None = None

    def forward(self) -> None:
        """Start a batch."""
        self.noted = {stack: [] for stack in STACKS}
        self.open = self.training and torch.is_grad_enabled()
        self.penalty = None

    def note(self, stack: Stack, u: Tensor, y: Tensor) -> None:
        """Keep what a place adds to what, each (batch, length, width), until the batch ends."""
        if self.open:
            self.noted[stack].append((u, y))

    def end(self, encoder: Tensor, visible: Tensor, decoder: Tensor) -> None:
        """Compute the penalty from the last states of both stacks; ``visible`` (batch, length) is 0 at padding."""
        if self.open:
            everywhere = torch.ones_like(decoder[..., 0])
            with torch.autocast(encoder.device.type, enabled=False):
                of_stacks = [self.of("encoder", encoder, visible), self.of("decoder", decoder, everywhere)]
                self.penalty = torch.stack(of_stacks).mean()
        self.open, self.noted = False, {}

    def take(self) -> Tensor | None:
        """Give the penalty away, so that its graph is not kept."""
        penalty, self.penalty = self.penalty, None
        return penalty

    def of(self, stack: Stack, states: Tensor, visible: Tensor) -> Tensor:
        """Mean of ``redundancy`` · N + ``alignment`` · J over a stack's places."""
        kind = self.rules.matrices.dtype
        means, visible = states.to(kind).mean(dim=1), visible.to(kind)[..., None]  # (B, width), (B, length, 1)
        places = [
            self.redundancy * redundancy(u.to(kind) * visible, y.to(kind) * visible)
            + self.alignment * disagreement(u.to(kind), means, visible)
            for u, y in self.noted[stack]
        ]
        return torch.stack(places).mean()


def redundancy(u: Tensor, y: Tensor) -> Tensor:
    """N of u and y (B, length, width), which are 0 at padding."""
    repeated = normalize(u, dim=-1).flatten(0, 1).T @ normalize(y, dim=-1).flatten(0, 1)  # C, (width, width)
    apart = repeated.square().sum() - repeated.diagonal().square().sum()
    return REDUNDANCY * BATCH / len(u) ** 2 * apart


def disagreement(u: Tensor, means: Tensor, visible: Tensor) -> Tensor:
    """J of u (B, length, width), z (B, width) and what is no padding (B, length, 1)."""
    scores = u @ means.T  # (B, length, B)
    own = torch.eye(len(u), dtype=u.dtype, device=u.device)[:, None]
    with_own = (own * visible * (math.log(2) - softplus(-scores))).sum()
    with_others = ((1 - own) * visible * (softplus(scores) - math.log(2))).sum()
    return (with_others / max(len(u) - 1, 1) - with_own) / visible.sum()
