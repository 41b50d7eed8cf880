"""Features of clips that somebody else computed: one ``.npz`` a clip, one row a step in time, read as they are."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tasks._scattered import Found, digest_of
from tasks.base import DataError, FeatureSource

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
    # What is no archive at all gives numpy's other errors.
    except (OSError, EOFError, ValueError, TypeError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{path}: is no whole .npz file ({reason}); fetch it again") from error
    if steps.ndim != 2 or steps.shape[1] != width or not len(steps) or not np.issubdtype(steps.dtype, np.floating):
        raise DataError(
            f"{path}: its features are {steps.dtype} of shape {steps.shape}; expected (steps, {width}): "
            "put those of CLIP ViT-B/32 here"
        )
    return steps


class ClipFeatures(FeatureSource):
    """One file a clip."""

    tokens = STEPS

    def __init__(self, name: str, files: Mapping[str, Found], width: int) -> None:
        """``files``: where the features of each clip lie."""
        self.name = name
        self.fingerprint = digest_of(files.items())
        self.width = width
        self._files = files

    def ids(self) -> Sequence[str]:
        """Clips in the order given."""
        return tuple(self._files)

    def read(self, image_id: str) -> np.ndarray:
        """Read one clip's file and bring it to 64 steps."""
        if image_id not in self._files:
            raise DataError(f"{self.name}: no clip {image_id!r}; expected one of {len(self._files)} ids")
        path, _ = self._files[image_id]
        return fit(read_steps(path, self.width))
