"""Frozen image encoders: pictures in, a 6 × 6 grid of patch features out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d
from transformers import CLIPVisionModel

from harness.errors import Unavailable, UserError, unknown

FILES = ("config.json", "model.safetensors")
GRID = 6  # visual tokens per side: 36 per image, as in VL-Adapter
EMBEDDED = Path(__file__).parent / "embedded"
_MEAN = (0.48145466, 0.4578275, 0.40821073)  # CLIP's pixel statistics, RGB in [0, 1]
_DEVIATION = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class EncoderSpec:
    """Where an image encoder comes from and which of its layers is read."""

    name: str
    title: str
    source: str  # hub id, or "" for an embedded one
    width: int  # of a patch feature
    layer: int  # index into the hidden states; the last layer's patches of a published CLIP were never trained


SPECS = {
    spec.name: spec
    for spec in (
        EncoderSpec("mini-clip", "mini-clip (embedded)", "", 128, -1),
        EncoderSpec("clip-vit-b32", "CLIP ViT-B/32", "openai/clip-vit-base-patch32", 768, -2),
    )
}


class ImageEncoder:
    """A frozen CLIP vision model; features are pooled to 6 × 6 by adaptive maxima (VL-Adapter's down-sampling)."""

    tokens = GRID * GRID

    def __init__(self, spec: EncoderSpec, model: CLIPVisionModel, fingerprint: str) -> None:
        self.name = spec.name
        self.width = spec.width
        self.fingerprint = fingerprint
        self._layer = spec.layer
        self._model = model.eval().requires_grad_(False)

    @torch.no_grad()
    def encode(self, images: Sequence[Image.Image]) -> Tensor:
        """Images -> features (n, 36, width), float32, on the encoder's device."""
        pixels = torch.stack([to_pixels(image, self._model.config.image_size) for image in images])
        return patch_features(self._model, pixels.to(self._model.device), self._layer)

    def to(self, device: torch.device | str) -> ImageEncoder:
        """Move to a device."""
        self._model.to(device)
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
    side = round(patches.shape[1] ** 0.5)
    if side == GRID:
        return patches
    grid = patches.transpose(1, 2).unflatten(2, (side, side))
    return adaptive_max_pool2d(grid, GRID).flatten(2).transpose(1, 2).contiguous()


def missing(name: str, weights: Path | None = None) -> str | None:
    """Return None if the encoder's weights are at hand, else one sentence: what is missing and how to get it.

    Raises:
        UserError: there is no encoder of this name.
    """
    if name not in SPECS:
        raise UserError(unknown("image encoder", name, SPECS))
    spec = SPECS[name]
    if _folder(spec, weights) is not None:
        return None
    fetch = f"run `hf download {spec.source} {' '.join(FILES)}`" if spec.source else "run `python -m harness pretrain`"
    return (
        f"the weights of the image encoder {name} are not on this machine; {fetch}, "
        f"or put them into DIR/{name} and give --weights DIR"
    )


def fingerprint(name: str, weights: Path | None = None) -> str:
    """Digest of an encoder's files and of how its features are made; that of the loaded `ImageEncoder`.

    Raises:
        Unavailable: its weights are not here.
        UserError: there is no encoder of this name.
    """
    return _fingerprint(SPECS[name], _present(name, weights))


def load_encoder(name: str, weights: Path | None = None) -> ImageEncoder:
    """Load an encoder from a folder of ``weights``, the embedded files or the hub's cache.

    Raises:
        Unavailable: its weights are not here.
        UserError: there is no encoder of this name, or its files are broken.
    """
    folder = _present(name, weights)
    try:
        model = CLIPVisionModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
    except Exception as error:  # the library raises many kinds for broken files
        reason = " ".join(str(error).split())
        raise UserError(f"image encoder {name}: {folder} cannot be loaded ({reason}); fetch it again") from error
    return ImageEncoder(SPECS[name], model, _fingerprint(SPECS[name], folder))


def _present(name: str, weights: Path | None) -> Path:
    """The folder of an encoder's files."""
    reason = missing(name, weights)
    folder = _folder(SPECS[name], weights)
    if reason is not None or folder is None:
        raise Unavailable(reason or name)
    return folder


def _folder(spec: EncoderSpec, weights: Path | None) -> Path | None:
    """The folder with config.json and model.safetensors, if there is one."""
    candidates = [weights / spec.name] if weights else []
    if not spec.source:
        candidates.append(EMBEDDED / spec.name)
    for folder in candidates:
        if all((folder / file).is_file() for file in FILES):
            return folder
    if not spec.source:
        return None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(spec.source, "model.safetensors")
    return Path(found).parent if isinstance(found, str) else None


def _fingerprint(spec: EncoderSpec, folder: Path) -> str:
    digest = hashlib.sha256(f"{spec.name}/{spec.layer}/{GRID}".encode())
    for name in FILES:
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
