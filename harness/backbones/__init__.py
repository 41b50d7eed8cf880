"""Backbones: encoder-decoder language models that read text and visual features."""

from harness.backbones.joint import JointBackbone
from harness.backbones.registry import LoadedBackbone, fingerprint, get, known, load, missing, on_meta, untrained
from harness.backbones.specs import SPECS, BackboneSpec

__all__ = [
    "SPECS",
    "BackboneSpec",
    "JointBackbone",
    "LoadedBackbone",
    "fingerprint",
    "get",
    "known",
    "load",
    "missing",
    "on_meta",
    "untrained",
]
