"""Clips of which there are features alone: one ``.npz`` a clip, one row a step in time, read as they are."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import NoReturn

import numpy as np

from tasks._scattered import Scattered
from tasks.base import DataError, FeatureSource, ImageSet

SUFFIX = ".npz"
ARRAY = "features"
STEPS = 64


def fit(steps: np.ndarray, length: int = STEPS) -> np.ndarray:
    """Steps (t, width) -> (length, width), as VL-Adapter reads clips (its ``video/tvqa_data.py``).

    Shorter ones are followed by rows of zeros. Longer ones are pooled as by an adaptive maximum: row i is the maximum
    over the steps from floor(i t / length) to ceil((i + 1) t / length).
    """
    count, width = steps.shape
    if count <= length:
        return np.concatenate([steps, np.zeros((length - count, width), steps.dtype)])
    bounds = [(i * count // length, -(-(i + 1) * count // length)) for i in range(length)]
    return np.stack([steps[start:stop].max(axis=0) for start, stop in bounds])


def read_steps(path: Path, width: int) -> np.ndarray:
    """Return the features in a file, (t, width), t at least 1.

    Raises:
        DataError: the file cannot be read, is not whole, or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            steps = archive[ARRAY]
    except FileNotFoundError as error:
        raise DataError(f"{path}: is not there any more; put the file back") from error
    except KeyError as error:
        raise DataError(
            f"{path}: has no array {ARRAY!r}; expected features ({width} wide) as VALUE gives out"
        ) from error
    # What is no archive at all gives numpy's other errors; damaged flags look like encryption (RuntimeError).
    except (
        OSError,
        EOFError,
        ValueError,
        TypeError,
        AttributeError,
        RuntimeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{path}: is no whole .npz file ({reason}); fetch it again") from error
    if steps.ndim != 2 or steps.shape[1] != width or not len(steps) or not np.issubdtype(steps.dtype, np.floating):
        raise DataError(
            f"{path}: its features are {steps.dtype} of shape {steps.shape}; expected (steps, {width}): "
            "put those of CLIP ViT-B/32 here"
        )
    if not np.isfinite(steps).all():
        raise DataError(f"{path}: its features are not all finite numbers; fetch it again")
    return steps


class ClipFeatures(FeatureSource):
    """One file a clip, called after it; the files are looked for when they are first needed."""

    tokens = STEPS

    def __init__(self, encoder: str, width: int, files: Callable[[], Scattered]) -> None:
        """``files``: makes what looks for them."""
        self.encoder = encoder
        self.width = width
        self._make = files

    @cached_property
    def _files(self) -> Scattered:
        return self._make()

    @property
    def place(self) -> str:  # type: ignore[override]
        """The folder."""
        return " and ".join(map(str, self._files.folders))

    @property
    def fingerprint(self) -> str:  # type: ignore[override]
        """Digest of the names and sizes of the files."""
        return self._files.fingerprint()

    @cached_property
    def names(self) -> Collection[str]:
        """Names of the clips."""
        return {name.removesuffix(SUFFIX) for name in self._files.found}

    def read(self, name: str) -> np.ndarray:
        """Read one clip's file and bring it to 64 steps."""
        path, _ = self._files.found[f"{name}{SUFFIX}"]
        return fit(read_steps(path, self.width))


class FeaturedClips(ImageSet):
    """Names of clips; there are no pictures of them."""

    def __init__(self, name: str, clips: Iterable[str]) -> None:
        self.name = name
        self._clips = tuple(sorted(set(clips)))
        self.fingerprint = hashlib.sha256("\n".join(self._clips).encode()).hexdigest()[:16]

    def ids(self) -> Sequence[str]:
        """The clips by their name."""
        return self._clips

    def open(self, image_id: str) -> NoReturn:
        """Refuse."""
        raise DataError(f"{self.name}: of clip {image_id!r} there are features, but no pictures")
