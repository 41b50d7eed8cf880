"""VL-PET: gated modifications in the encoder; in the decoder a parallel adapter on the values of cross-attention."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import nn

from methods.base import Method, TaskContext
from methods.blocks import MultiHeadBottleneck, ParallelBottleneck
from methods.gates import Gated, LargeGate, MiddleXGate, MiddleYGate, SmallGate
from methods.papers import vl_pet
from methods.sites import Backbone, after, around, unfreeze_norms

Formula = Literal["code", "paper"]
Presets = Mapping[str, Mapping[str, Any]]


def joined(*several: Presets) -> Presets:
    """Presets of several classes in one; the later win."""
    result: dict[str, dict[str, Any]] = {}
    for presets in several:
        for selector, values in presets.items():
            result[selector] = {**result.get(selector, {}), **values}
    return result


class GranularityControl(Method):
    """s G ⊙ m(h) for every encoder sub-layer's output h; V(e) + U φ(D e + b_D) + b_U for cross-attention's values.

    A sub-class chooses the modification m and the gate G. h is taken before dropout and the residual sum; x is the
    sub-layer's input, on T5 before its norm; e is the encoder's output. The encoder's norms train, the decoder's do
    not. One set of modules serves all tasks.
    """

    paper = vl_pet("section 3")
    presets: ClassVar[Presets] = {
        "bart/video-text": {"learning_rate": 7e-4},
        "t5": {"learning_rate": 3e-4, "scale": 0.3, "zero_start": True},
        "mini-bart": {"decoder_rank": 16},
    }

    scale: float = Field(1.0, gt=0, description="factor s of a gate")
    decoder_rank: int = Field(96, ge=1, description="hidden units of a value adapter in the decoder")
    zero_start: bool = Field(False, description="whether up-projections and the gates' last layers start from zero")

    @abstractmethod
    def modification(self, width: int) -> nn.Module:
        """Build m, a module (x, h) -> m(h)."""

    @abstractmethod
    def gated(self, width: int) -> Gated:
        """Join the modification with the gate."""

    def value_adapter(self, inputs: int, outputs: int) -> ParallelBottleneck:
        """Build what stands beside a value projection."""
        return ParallelBottleneck(nn.Linear(inputs, self.decoder_rank), nn.Linear(self.decoder_rank, outputs))

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Modify and gate the encoder's sub-layers, adapt cross-attention's values, unfreeze the encoder's norms.

        Raises:
            ValueError: a size does not divide another as it must.
        """
        for site in model.sites:
            if site.stack == "encoder":
                around(site, self._start(model, self.gated(site.width)))
            elif site.kind == "cross_attn":
                value = site.linears["v"]
                after(value, self._start(model, self.value_adapter(value.in_features, value.out_features)))
        unfreeze_norms(model, "encoder")

    def _start(self, model: Backbone, module: Gated | ParallelBottleneck) -> nn.Module:
        model.initialise(module)
        if self.zero_start:
            module.start_from_zero()
        return module


class WithSmallGate(GranularityControl):
    """G = mean over positions of σ(w · [x; m(h)] + b), one number per example."""

    reads_padding = True

    formula: Formula = Field("code", description='what the gate reads of the output: m(h), or h in the "paper"')

    def gated(self, width: int) -> Gated:
        """Build a small gate."""
        return Gated(self.modification(width), SmallGate(width), self.scale, before=self.formula == "paper")


class WithMiddleXGate(GranularityControl):
    """G = σ(w · (x + m(h)) + b), one number per position."""

    formula: Formula = Field("code", description='what the gate reads of the output: m(h), or h in the "paper"')

    def gated(self, width: int) -> Gated:
        """Build a middle gate over positions."""
        return Gated(self.modification(width), MiddleXGate(width), self.scale, before=self.formula == "paper")


class WithMiddleYGate(GranularityControl):
    """G = 1 + z, one number per feature."""

    formula: Formula = Field("code", description='the gate: 1 + z, or 1 + σ(z) in the "paper"')

    def gated(self, width: int) -> Gated:
        """Build a middle gate over features."""
        return Gated(self.modification(width), MiddleYGate(width, squashed=self.formula == "paper"), self.scale)


class WithLargeGate(GranularityControl):
    """G = σ(U φ(D x + b_D) + b_U), one number per position and feature."""

    presets: ClassVar[Presets] = {"t5": {"gate_rank": 192}, "mini-bart": {"gate_rank": 16}}

    gate_rank: int = Field(96, ge=1, description="hidden units of a gate")

    def gated(self, width: int) -> Gated:
        """Build a large gate."""
        return Gated(self.modification(width), LargeGate(width, self.gate_rank), self.scale)


class VLPet(GranularityControl):
    """m(h) = h + U φ([D₁ h + b₁; …; D_n h + b_n]) + b_U with n heads."""

    presets: ClassVar[Presets] = joined(GranularityControl.presets, {"t5": {"rank": 192}, "mini-bart": {"rank": 16}})

    rank: int = Field(96, ge=1, description="hidden units of a modification in the encoder, over all heads")
    heads: int = Field(4, ge=1, description="down-projections of a modification")

    def modification(self, width: int) -> nn.Module:
        """Build a multi-head bottleneck."""
        return MultiHeadBottleneck(width, self.rank, self.heads)


class VLPetSmall(VLPet, WithSmallGate):
    """s g m(h) on every encoder sub-layer output h, g = mean over positions of σ(w · [x; m(h)] + b).

    m(h) = h + U φ([D₁ h + b₁; …; D_n h + b_n]) + b_U. In the decoder only the value projection of cross-attention
    changes: V(e) + U φ(D e + b_D) + b_U. x: the sub-layer's input, on T5 before its norm; e: the encoder's output;
    φ: tanh-approximated GELU. The encoder's norms train. On T5, s is 0.3, and up-projections and w, b start from zero.

    As in the published code, g reads m(h), not the paper's h (``formula``), and the mean counts padded positions, so
    an example's gate depends on how far its batch is padded.
    """

    name = "vl-pet-small"
    title = "VL-PET-small"


class VLPetMiddleX(VLPet, WithMiddleXGate):
    """s g m(h) on every encoder sub-layer output h, g = σ(w · (x + m(h)) + b), one number per position.

    m(h), x, s and the decoder as in VL-PET-small. As in the published code, g reads m(h), not the paper's h
    (``formula``).
    """

    name = "vl-pet-middle-x"
    title = "VL-PET-middleX"


class VLPetMiddleY(VLPet, WithMiddleYGate):
    """s (1 + z) ⊙ m(h) on every encoder sub-layer output h, z one number per feature, from N(0, 0.02); on T5 from 0.

    m(h), s and the decoder as in VL-PET-small. As in the published code; the paper writes 1 + σ(z) (``formula``).
    """

    name = "vl-pet-middle-y"
    title = "VL-PET-middleY"


class VLPetLarge(VLPet, WithLargeGate):
    """s σ(U' φ(D' x + b_D') + b_U') ⊙ m(h) on every encoder sub-layer output h.

    m(h), x, s and the decoder as in VL-PET-small; on T5, U' and b_U' start from zero too.
    """

    name = "vl-pet-large"
    title = "VL-PET-large"
    presets: ClassVar[Presets] = joined(VLPet.presets, WithLargeGate.presets)
