"""Backbones: encoder-decoder language models that read text and visual features."""

from harness.backbones.joint import JointBackbone
from harness.backbones.registry import (
    SPECS,
    BackboneSpec,
    LoadedBackbone,
    fingerprint,
    get,
    known,
    load,
    missing,
    on_meta,
)

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
]
