"""Image features: read as they lie among the data, or computed once per encoder and image set and then mapped.

A clip is read as at most 64 tokens, as many as the papers take steps of a video: the maxima of each frame over a
coarser grid, 2 × 2 where there are 16 frames.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d

from harness.errors import UserError
from harness.store import Progress, Store, silent, write_array
from tasks import DataError, FeatureSource, ImageSet

ROWS, IDS = "rows.npy", "ids.json"
CLIP_TOKENS = 64
VERSION = "1"  # changes whenever the same pictures could give other features


class Encoder(Protocol):
    """What features are computed with; fulfilled by `harness.backbones.vision`."""

    name: str
    width: int
    tokens: int  # per image
    fingerprint: str  # of its weights and its preprocessing

    def encode(self, images: list[Image]) -> Tensor:
        """Encode n images as (n, tokens, width), float32."""
        ...


class SourceRows:
    """The features of some names of a source, in this order; a row is read when it is asked for."""

    def __init__(self, source: FeatureSource, names: Sequence[str]) -> None:
        self._source = source
        self._names = names

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Row numbers of any shape -> features (*shape, tokens, width)."""
        read = [self._source.read(self._names[row]) for row in rows.ravel().tolist()]
        return np.stack(read).reshape(*rows.shape, self._source.tokens, self._source.width)


@dataclass(frozen=True)
class Features:
    """The features of one image set: ``rows`` (n, tokens per image or clip, width), float16 unless files that others
    made hold float32, and the row of each id.
    """

    rows: np.ndarray | SourceRows
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
        """Row numbers (b, i) -> features (b, i, tokens, width), as they are stored; only these rows are read."""
        return torch.from_numpy(self.rows[rows])


def read_features(store: Store, source: FeatureSource, images: ImageSet, progress: Progress = silent) -> Features:
    """Take the features of an image set from a source.

    The first time, each is read once: a broken file ends a cell before it trains, not after hours of it.

    Raises:
        DataError: the source leaves an image out, or has it but broken.
        UserError: the cache cannot be written.
    """
    names = {image: images.feature_name(image) for image in images.ids()}
    if absent := next((name for name in names.values() if name not in source.names), None):
        raise DataError(f"{source.place}: no features of {absent!r}, which {images.name} needs; extract or fetch them")

    def read_all() -> int:
        for done, name in enumerate(names.values(), start=1):
            source.read(name)
            progress(f"reading features of {images.name}", done, len(names))
        return len(names)

    key = {"version": VERSION, "source": source.fingerprint, "set": images.name, "images": images.fingerprint}
    store.remembered("read-features", key, read_all, progress)
    return Features(
        SourceRows(source, list(names.values())), {image: row for row, image in enumerate(names)}, images.name
    )


def features(
    store: Store, encoder: Encoder, images: ImageSet, progress: Progress = silent, batch_size: int = 64
) -> Features:
    """Open the features of an image set; the first time, encode all its images, ``batch_size`` pictures at once.

    Raises:
        DataError: an image is missing or broken.
        UserError: a feature does not fit into half precision, or the cache cannot be written.
    """
    ids = list(images.ids())
    tokens = encoder.tokens if images.frames == 1 else images.frames * _side(images.frames) ** 2
    batch_size = max(1, batch_size // images.frames)
    if not ids:  # a task without images; a file cannot be mapped when it holds no rows
        return Features(np.zeros((0, tokens, encoder.width), np.float16), {}, images.name)

    def blocks() -> Iterator[np.ndarray]:
        for start in range(0, len(ids), batch_size):
            yield _encode(encoder, images, ids[start : start + batch_size])
            progress(f"features of {images.name}", min(start + batch_size, len(ids)), len(ids))

    def build(folder: Path) -> None:
        write_array(folder / ROWS, (len(ids), tokens, encoder.width), np.float16, blocks())
        (folder / IDS).write_text(json.dumps(ids), "utf-8")

    key = {
        "version": VERSION,
        "encoder": encoder.fingerprint,
        "set": images.name,
        "images": images.fingerprint,
        "tokens": tokens,
    }
    place = store.entry("features", key, build, progress)
    stored: list[str] = json.loads((place / IDS).read_text("utf-8"))
    index = {name: row for row, name in enumerate(stored)}
    return Features(np.load(place / ROWS, mmap_mode="r"), index, images.name)


def _encode(encoder: Encoder, images: ImageSet, ids: Sequence[str]) -> np.ndarray:
    pictures = [picture for image in ids for picture in images.open_frames(image)]
    # Frames of a clip in which nothing changes are one object.
    distinct = {id(picture): picture for picture in pictures}
    rows = {key: row for row, key in enumerate(distinct)}
    with torch.inference_mode():
        block = encoder.encode(list(distinct.values()))[[rows[id(picture)] for picture in pictures]]
        block = (pool_frames(block, images.frames) if images.frames > 1 else block).cpu().half()
    if not torch.isfinite(block).all():
        raise UserError(f"{encoder.name}: its features of {images.name} ({ids[0]} ...) do not fit into float16")
    return block.numpy()


def _side(frames: int) -> int:
    """Rows and columns that a frame is reduced to, so that a clip has at most `CLIP_TOKENS` tokens."""
    return isqrt(CLIP_TOKENS // frames)


def pool_frames(block: Tensor, frames: int) -> Tensor:
    """Patches of all frames of c clips (c · frames, tokens, width) -> clips (c, frames · side², width).

    Token f · side² + r is region r of frame f, regions in reading order; side² is 4 where there are 16 frames.
    """
    _, tokens, width = block.shape
    grid = block.transpose(1, 2).unflatten(2, (isqrt(tokens), isqrt(tokens)))
    pooled = adaptive_max_pool2d(grid, _side(frames)).flatten(2).transpose(1, 2)
    return pooled.reshape(-1, frames * _side(frames) ** 2, width)
