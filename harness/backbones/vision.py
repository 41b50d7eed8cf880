"""Frozen image encoders: pictures in, a 6 × 6 grid of patch features out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from math import isqrt
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d
from transformers import CLIPVisionModel

from harness.backbones.resnet import ModifiedResNet, load_published
from harness.backbones.weights import CONFIG, EMBEDDED, WEIGHTS, WeightFiles, digest
from harness.errors import UserError, unknown

GRID = 6  # visual tokens per side: 36 per image, as in VL-Adapter
_MEAN = (0.48145466, 0.4578275, 0.40821073)  # CLIP's pixel statistics, RGB in [0, 1]
_DEVIATION = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class EncoderSpec:
    """Where an image encoder comes from and which of its layers is read. Either ``hub`` or ``embedded`` is set."""

    name: str
    title: str
    width: int  # of a patch feature
    layer: int  # index into the hidden states; the last layer's patches of a published CLIP were never trained
    embedded: Path | None = None  # folder with configuration and weights
    hub: str = ""  # Hugging Face id
    resnet: bool = False  # a modified ResNet of CLIP, not a vision transformer

    @property
    def files(self) -> tuple[str, ...]:
        """What lies in its folder; a ResNet's sizes are those of its name."""
        return (WEIGHTS,) if self.resnet else (CONFIG, WEIGHTS)


SPECS = {
    spec.name: spec
    for spec in (
        EncoderSpec("mini-clip", "mini-clip (embedded)", 128, -1, embedded=EMBEDDED / "mini-clip"),
        EncoderSpec("clip-vit-b32", "CLIP ViT-B/32", 768, -2, hub="openai/clip-vit-base-patch32"),
        EncoderSpec("clip-vit-b16", "CLIP ViT-B/16", 768, -2, hub="openai/clip-vit-base-patch16"),
        EncoderSpec("clip-vit-l14", "CLIP ViT-L/14", 1024, -2, hub="openai/clip-vit-large-patch14"),
        EncoderSpec("clip-vit-l14-336", "CLIP ViT-L/14 at 336", 1024, -2, hub="openai/clip-vit-large-patch14-336"),
        EncoderSpec("clip-rn101", "CLIP ResNet-101", 2048, -1, hub="timm/resnet101_clip.openai", resnet=True),
    )
}


class ImageEncoder:
    """A frozen image model; features are pooled to 6 × 6 by adaptive maxima (VL-Adapter's down-sampling)."""

    tokens = GRID * GRID

    def __init__(
        self, spec: EncoderSpec, model: nn.Module, image_size: int, read: Callable[[Tensor], Tensor], fingerprint: str
    ) -> None:
        """``read``: pixels (n, 3, image size, image size) -> features (n, 36, width), by the model."""
        self.name = spec.name
        self.width = spec.width
        self.image_size = image_size
        self.fingerprint = fingerprint
        self._model = model.eval().requires_grad_(False)
        self._read = read
        self._device = torch.device("cpu")

    def encode(self, images: Sequence[Image.Image]) -> Tensor:
        """Images -> features (n, 36, width), float32, on the encoder's device."""
        return self.encode_pixels(torch.stack([to_pixels(image, self.image_size) for image in images]))

    @torch.no_grad()
    def encode_pixels(self, pixels: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Results of `to_pixels` (n, 3, image size, image size) -> as `encode`; products are computed in ``dtype``."""
        with torch.autocast(self._device.type, dtype, enabled=dtype != torch.float32):
            return self._read(pixels.to(self._device)).float()

    def to(self, device: torch.device | str) -> ImageEncoder:
        """Move to a device."""
        self._model.to(device)
        self._device = torch.device(device)
        return self


def to_pixels(image: Image.Image, size: int) -> Tensor:
    """Resize both sides (bicubic, no regard to aspect ratio), scale by CLIP's statistics -> (3, size, size)."""
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    values = (np.asarray(image.convert("RGB"), dtype=np.float32) / 255.0 - _MEAN) / _DEVIATION
    return torch.from_numpy(values.astype(np.float32)).permute(2, 0, 1)


def patch_features(model: CLIPVisionModel, pixels: Tensor, layer: int = -1) -> Tensor:
    """Pixels (n, 3, size, size) -> (n, 36, width) without the class token."""
    output = model(pixels, output_hidden_states=layer != -1)
    states = output.last_hidden_state if layer == -1 else output.hidden_states[layer]
    patches = states[:, 1:]  # (n, side², width)
    side = isqrt(patches.shape[1])
    return patches if side == GRID else pooled(patches.transpose(1, 2).unflatten(2, (side, side)))


def pooled(grid: Tensor) -> Tensor:
    """Grid (n, width, side, side) -> its maxima over 6 × 6 windows (n, 36, width); of 7 × 7, over every 2 × 2."""
    return adaptive_max_pool2d(grid, GRID).flatten(2).transpose(1, 2).contiguous()


def missing(name: str, weights: Path | None = None) -> str | None:
    """Return None if the encoder's weights are at hand, else one sentence: what is missing and how to get it.

    Raises:
        UserError: there is no encoder of this name.
    """
    return _files(name).missing(weights)


def fingerprint(name: str, weights: Path | None = None) -> str:
    """Digest of an encoder's files and of how its features are made; that of the loaded `ImageEncoder`.

    Raises:
        Unavailable: its weights are not here.
        UserError: there is no encoder of this name.
    """
    files = _files(name)
    return _fingerprint(SPECS[name], files.folder(weights))


def load_encoder(name: str, weights: Path | None = None) -> ImageEncoder:
    """Load an encoder from a folder of ``weights``, the embedded files or the hub's cache.

    Raises:
        Unavailable: its weights are not here.
        UserError: there is no encoder of this name, or its files are broken.
    """
    folder = _files(name).folder(weights)
    spec = SPECS[name]
    try:
        if spec.resnet:
            return _resnet(spec, load_published(ModifiedResNet(), folder / WEIGHTS), _fingerprint(spec, folder))
        model = CLIPVisionModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
    except Exception as error:  # the library raises many kinds for broken files
        reason = " ".join(str(error).split())
        raise UserError(f"image encoder {name}: {folder} cannot be loaded ({reason}); fetch it again") from error
    return _transformer(spec, model, _fingerprint(spec, folder))


def _resnet(spec: EncoderSpec, model: ModifiedResNet, fingerprint: str) -> ImageEncoder:
    return ImageEncoder(spec, model, model.image_size, lambda pixels: pooled(model(pixels)), fingerprint)


def _transformer(spec: EncoderSpec, model: CLIPVisionModel, fingerprint: str) -> ImageEncoder:
    size = model.config.image_size
    assert isinstance(size, int)  # a square
    return ImageEncoder(spec, model, size, partial(patch_features, model, layer=spec.layer), fingerprint)


def _files(name: str) -> WeightFiles:
    if name not in SPECS:
        raise UserError(unknown("image encoder", name, SPECS))
    spec = SPECS[name]
    return WeightFiles(name, f"the image encoder {name}", spec.files, spec.embedded, spec.hub)


def _fingerprint(spec: EncoderSpec, folder: Path) -> str:
    parts = sha256(f"{spec.name}/{spec.layer}/{GRID}".encode())
    for name in spec.files:
        parts.update(bytes.fromhex(digest(folder / name)))
    return parts.hexdigest()[:16]
