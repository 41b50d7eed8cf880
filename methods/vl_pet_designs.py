"""VL-PET's designs on VL-Adapter and on Compacter: their own modules in the encoder, gated, and the lean decoder."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import nn

from methods.blocks import Bottleneck, ParallelBottleneck, reduced
from methods.kronecker import KroneckerLinear
from methods.papers import vl_pet
from methods.vl_pet import (
    GranularityControl,
    Presets,
    WithLargeGate,
    WithMiddleXGate,
    WithMiddleYGate,
    WithSmallGate,
    joined,
)


class Design(GranularityControl):
    """Another method's bottleneck as the modification m. The paper shows BART alone; T5 gets VL-PET's settings."""

    paper = vl_pet("table 9")
    presets: ClassVar[Presets] = joined(GranularityControl.presets, {"t5": {"reduction_factor": 4}})

    reduction_factor: int = Field(8, ge=1, description="width of the model over width of the bottleneck")


class GatedAdapter(Design):
    """m(h) = h + U φ(D h + b_D) + b_U: VL-PET's modification with one head. The two differ by chance alone."""

    def modification(self, width: int) -> nn.Module:
        """Build VL-Adapter's adapter."""
        return Bottleneck(width, reduced(width, self.reduction_factor))


class GatedCompacter(Design):
    """m(h) = h + U(φ(D(h))), D and U Kronecker layers, also beside the values in the decoder.

    The published code would build plain adapters here: it reads the value adapter's flag before Compacter's. Only
    Kronecker layers give the printed percentages.
    """

    divisions: int = Field(2, ge=1, description="products summed in a Kronecker layer, and size of its rules")

    def modification(self, width: int) -> nn.Module:
        """Build Compacter's adapter."""
        return Bottleneck(width, reduced(width, self.reduction_factor), self.layer, self.layer)

    def value_adapter(self, inputs: int, outputs: int) -> ParallelBottleneck:
        """Build a value adapter of Kronecker layers."""
        return ParallelBottleneck(self.layer(inputs, self.decoder_rank), self.layer(self.decoder_rank, outputs))

    def layer(self, inputs: int, outputs: int) -> nn.Module:
        """Build a Kronecker layer."""
        return KroneckerLinear(inputs, outputs, self.divisions)


class AdapterSmall(GatedAdapter, WithSmallGate):
    """VL-PET-small with one head: m(h) = h + U φ(D h + b_D) + b_U, the adapter of VL-Adapter in the encoder."""

    name = "vl-adapter-g-small"
    title = "VL-Adapter + VL-PET-small designs"


class AdapterMiddleX(GatedAdapter, WithMiddleXGate):
    """VL-PET-middleX with one head: m(h) = h + U φ(D h + b_D) + b_U, the adapter of VL-Adapter in the encoder."""

    name = "vl-adapter-g-middle-x"
    title = "VL-Adapter + VL-PET-middleX designs"


class AdapterMiddleY(GatedAdapter, WithMiddleYGate):
    """VL-PET-middleY with one head: m(h) = h + U φ(D h + b_D) + b_U, the adapter of VL-Adapter in the encoder."""

    name = "vl-adapter-g-middle-y"
    title = "VL-Adapter + VL-PET-middleY designs"


class AdapterLarge(GatedAdapter, WithLargeGate):
    """VL-PET-large with one head: m(h) = h + U φ(D h + b_D) + b_U, the adapter of VL-Adapter in the encoder."""

    name = "vl-adapter-g-large"
    title = "VL-Adapter + VL-PET-large designs"
    presets: ClassVar[Presets] = joined(GatedAdapter.presets, WithLargeGate.presets)


class CompacterSmall(GatedCompacter, WithSmallGate):
    """VL-PET-small with Kronecker layers in the modifications and in the value adapters (see `GatedCompacter`)."""

    name = "compacter-g-small"
    title = "Compacter + VL-PET-small designs"


class CompacterMiddleX(GatedCompacter, WithMiddleXGate):
    """VL-PET-middleX with Kronecker layers in the modifications and in the value adapters (see `GatedCompacter`)."""

    name = "compacter-g-middle-x"
    title = "Compacter + VL-PET-middleX designs"


class CompacterMiddleY(GatedCompacter, WithMiddleYGate):
    """VL-PET-middleY with Kronecker layers in the modifications and in the value adapters (see `GatedCompacter`)."""

    name = "compacter-g-middle-y"
    title = "Compacter + VL-PET-middleY designs"


class CompacterLarge(GatedCompacter, WithLargeGate):
    """VL-PET-large with Kronecker layers in the modifications and in the value adapters (see `GatedCompacter`)."""

    name = "compacter-g-large"
    title = "Compacter + VL-PET-large designs"
    presets: ClassVar[Presets] = joined(GatedCompacter.presets, WithLargeGate.presets)
