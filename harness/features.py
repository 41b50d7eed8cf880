"""Image features: computed once per encoder and image set, then read from one memory-mapped file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from harness.errors import UserError
from harness.store import Progress, Store, silent
from tasks import DataError, ImageSet

ROWS, IDS = "rows.npy", "ids.json"


class Encoder(Protocol):
    """What features are computed with; fulfilled by `harness.backbones.vision`."""

    name: str
    width: int
    tokens: int  # per image
    fingerprint: str  # of its weights and its preprocessing

    def encode(self, images: list[Image]) -> Tensor:
        """Encode n images as (n, tokens, width), float32."""
        ...


@dataclass(frozen=True)
class Features:
    """The features of one image set: ``rows`` (n, tokens, width), float16, and the row of each id."""

    rows: np.ndarray
    index: Mapping[str, int]
    set_name: str

    def find(self, ids: Iterable[str]) -> list[int]:
        """Rows of the images with these ids.

        Raises:
            DataError: the image set has no such image.
        """
        try:
            return [self.index[image] for image in ids]
        except KeyError as error:
            raise DataError(f"image {error.args[0]!r} is not in image set {self.set_name!r}") from error

    def gather(self, rows: np.ndarray) -> Tensor:
        """Row numbers (b, i) -> features (b, i, tokens, width), float16; only these rows are read."""
        return torch.from_numpy(self.rows[rows])


def features(
    store: Store, encoder: Encoder, images: ImageSet, progress: Progress = silent, batch_size: int = 64
) -> Features:
    """Open the features of an image set; the first time, encode all its images.

    Raises:
        DataError: an image is missing or broken.
        UserError: a feature does not fit into half precision, or the cache cannot be written.
    """
    ids = list(images.ids())
    if not ids:  # a task without images; a file cannot be mapped when it holds no rows
        return Features(np.zeros((0, encoder.tokens, encoder.width), np.float16), {}, images.name)

    def build(folder: Path) -> None:
        shape = (len(ids), encoder.tokens, encoder.width)
        rows = np.lib.format.open_memmap(folder / ROWS, mode="w+", dtype=np.float16, shape=shape)
        for start in range(0, len(ids), batch_size):
            rows[start : start + batch_size] = _encode(encoder, images, ids[start : start + batch_size])
            progress(f"features of {images.name}", min(start + batch_size, len(ids)), len(ids))
        rows.flush()
        (folder / IDS).write_text(json.dumps(ids), "utf-8")

    key = {"encoder": encoder.fingerprint, "set": images.name, "images": images.fingerprint}
    place = store.entry("features", key, build, progress)
    stored: list[str] = json.loads((place / IDS).read_text("utf-8"))
    index = {name: row for row, name in enumerate(stored)}
    return Features(np.load(place / ROWS, mmap_mode="r"), index, images.name)


def _encode(encoder: Encoder, images: ImageSet, ids: Sequence[str]) -> np.ndarray:
    with torch.inference_mode():
        block = encoder.encode([images.open(image) for image in ids]).cpu().half()
    if not torch.isfinite(block).all():
        raise UserError(f"{encoder.name}: its features of {images.name} ({ids[0]} ...) do not fit into float16")
    return block.numpy()
