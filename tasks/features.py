"""Image features that lie in files: this project's own feature files, and VL-Adapter's HDF5 files as they are.

A feature file is a safetensors file with one tensor ``features`` (pictures, tokens, width), float16, and a
`FeatureIndex` in its metadata. It is mapped, not loaded: of its rows only those are read that are asked for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from math import isqrt
from pathlib import Path

import numpy as np
from PIL.Image import Image
from pydantic import BaseModel, ConfigDict

from tasks._files import decode
from tasks.base import DataError, FeatureSource

SUFFIX = ".safetensors"
PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")  # suffixes, in either case
GRID = 6  # patches per side that a picture is pooled to
_LENGTH_BYTES = 8  # of the header's length, at the start of a safetensors file
_LONGEST_HEADER = 1 << 30
_SAMPLED = 16  # HDF5 files whose contents are part of a digest
_HALF = np.dtype("<f2")


class FeatureIndex(BaseModel):
    """Whose features the rows of a feature file are, and how they were made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoder: str
    fingerprint: str  # of the encoder's weights and preprocessing
    precision: str  # that the encoder computed in
    names: tuple[str, ...]  # of the pictures' files, without suffix; one of each row
    sizes: tuple[int, ...]  # of these files in bytes: a picture of another size is another picture
    whole: str  # of each row "1"; or "0": the picture did not decode, and the row is not a number

    @property
    def size_of(self) -> dict[str, int]:
        """Bytes of each picture's file."""
        return dict(zip(self.names, self.sizes, strict=True))

    @property
    def broken(self) -> tuple[str, ...]:
        """Names of the pictures that did not decode."""
        return tuple(name for name, mark in zip(self.names, self.whole, strict=True) if mark == "0")


class Layout:
    """Where things lie in a feature file: its header, then its rows, one after another."""

    def __init__(self, index: FeatureIndex, tokens: int, width: int) -> None:
        self.index = index
        self.shape = (len(index.names), tokens, width)
        self.row_bytes = tokens * width * _HALF.itemsize
        size = self.row_bytes * len(index.names)
        tensor = {"dtype": "F16", "shape": self.shape, "data_offsets": (0, size)}
        text = json.dumps({"__metadata__": {"index": index.model_dump_json()}, "features": tensor})
        text += " " * (-len(text) % _LENGTH_BYTES)  # safetensors' alignment
        self.header = len(text).to_bytes(_LENGTH_BYTES, "little") + text.encode()
        self.total_bytes = len(self.header) + size

    def rows(self, path: Path, count: int) -> np.ndarray:
        """Map the first rows of the file, read only."""
        return np.memmap(path, _HALF, "r", len(self.header), (count, *self.shape[1:]))


def read_layout(path: Path) -> Layout:
    """Read the header of a feature file; rows may be lacking.

    Raises:
        DataError: it cannot be read, or is not a feature file of this project.
    """
    try:
        with path.open("rb") as file:
            length = file.read(_LENGTH_BYTES)
            header = file.read(min(int.from_bytes(length, "little"), _LONGEST_HEADER))
        parsed = json.loads(header)
        _, tokens, width = parsed["features"]["shape"]
        layout = Layout(FeatureIndex.model_validate_json(parsed["__metadata__"]["index"]), tokens, width)
        if layout.header != length + header:
            raise ValueError("its parts contradict each other")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); put the file back or make it readable") from error
    except (ValueError, KeyError, TypeError) as error:  # pydantic's and json's are ValueErrors
        raise DataError(
            f"{path}: is no whole feature file of this project; take it away, or make it anew by "
            "`python -m harness features`"
        ) from error
    return layout


class FeatureFile(FeatureSource):
    """One feature file; names are those of the pictures that decoded."""

    def __init__(self, path: Path) -> None:
        """Read the index and map the rows.

        Raises:
            DataError: the file cannot be read, is not a feature file, or lacks rows.
        """
        layout = read_layout(path)
        size = path.stat().st_size
        if size != layout.total_bytes:
            raise DataError(
                f"{path}: holds {size:,} of {layout.total_bytes:,} bytes; copy it again, or make it anew by "
                "`python -m harness features`"
            )
        self.place = str(path)
        self.index = layout.index
        self.encoder = self.index.encoder
        self.fingerprint = sha256(layout.header).hexdigest()[:16]
        _, self.tokens, self.width = layout.shape
        self._row_of = {name: row for row, name in enumerate(self.index.names) if self.index.whole[row] == "1"}
        self._rows = layout.rows(path, layout.shape[0])

    @property
    def names(self) -> Collection[str]:
        """Names of the pictures' files, without suffix."""
        return self._row_of.keys()

    def read(self, name: str) -> np.ndarray:
        """Return a view of the mapped row."""
        return self._rows[self._row_of[name]]


class Hdf5Features(FeatureSource):
    """VL-Adapter's files: one for each picture, ``NAME.h5``, in which ``NAME/features`` is (side², width).

    The grid is pooled to 6 × 6 when it is read (VL-Adapter's ``--downsample``). A file is open only while it is read.
    """

    tokens = GRID**2

    def __init__(self, place: str, encoder: str, files: Mapping[str, Path]) -> None:
        """``files``: where the features of each name lie. The first one tells the width.

        Raises:
            DataError: the first file cannot be read.
        """
        self.place = place
        self.encoder = encoder
        self._files = files
        self.width = 0
        self.width = self.read(next(iter(files))).shape[1]

    @cached_property
    def fingerprint(self) -> str:  # type: ignore[override]
        """Digest of the files' names and sizes, and of the contents of a few, evenly spread.

        A hundred thousand files are too many to read before every run, and files of one encoder have one size.
        """
        total = sha256()
        for number, (name, path) in enumerate(self._files.items()):
            total.update(f"{name} {path.stat().st_size}\n".encode())
            if number % (len(self._files) // _SAMPLED + 1) == 0:
                total.update(path.read_bytes())
        return total.hexdigest()[:16]

    @property
    def names(self) -> Collection[str]:
        """Names of the files, without suffix."""
        return self._files.keys()

    def read(self, name: str) -> np.ndarray:
        """Open the picture's file, read its grid and pool it."""
        import h5py  # slow to import, and few have such files

        path, key = self._files[name], f"{name}/features"
        try:
            # Nothing writes these files, and many file systems of clusters have no locks.
            with h5py.File(path, "r", locking=False) as file:
                if not isinstance(file.get(key), h5py.Dataset):
                    held = ", ".join(list(file)[:3]) or "nothing"
                    raise DataError(
                        f"{path}: has no {key}, but {held}; name the file as the image in it, or fetch it again"
                    )
                grid = file[key][()]
        except (OSError, RuntimeError, ValueError) as error:  # h5py has no error of its own
            reason = " ".join(str(error).split())
            raise DataError(f"{path}: is no whole HDF5 file ({reason}); fetch it again") from error
        square = grid.ndim == 2 and isqrt(len(grid)) ** 2 == len(grid) >= self.tokens
        if not square or grid.shape[1] != (self.width or grid.shape[1]):
            raise DataError(
                f"{path}: {key} is {grid.shape}; expected ({self.tokens} patches or more of a square grid, "
                f"{self.width or 'width'}) as in the other files: fetch it again, or keep features of one encoder here"
            )
        return pooled(grid)


class _Joined(FeatureSource):
    """Several sources of one encoder as one."""

    def __init__(self, place: str, sources: Sequence[FeatureSource]) -> None:
        first = sources[0]
        for other in sources[1:]:
            if (other.tokens, other.width) != (first.tokens, first.width):
                raise DataError(
                    f"{other.place}: features of {other.tokens} tokens and width {other.width}, but of {first.tokens} "
                    f"and {first.width} in {first.place}; keep features of one encoder in {place}"
                )
        self.place, self.encoder = place, first.encoder
        self.tokens, self.width = first.tokens, first.width
        self.fingerprint = sha256(" ".join(source.fingerprint for source in sources).encode()).hexdigest()[:16]
        self._of: dict[str, FeatureSource] = {}
        for source in sources:
            if twice := next((name for name in source.names if name in self._of), None):
                raise DataError(f"image {twice!r} is in {self._of[twice].place} and in {source.place}; take one away")
            self._of |= dict.fromkeys(source.names, source)

    @property
    def names(self) -> Collection[str]:
        """The names of all sources."""
        return self._of.keys()

    def read(self, name: str) -> np.ndarray:
        """Read from the source that has it."""
        return self._of[name].read(name)


def open_features(folders: Sequence[Path], encoder: str) -> FeatureSource | None:
    """Open all feature files and HDF5 files below these folders; None: there are none.

    Raises:
        DataError: a file is broken, or holds features of another encoder.
    """
    place = " and ".join(map(str, folders))
    sources: list[FeatureSource] = []
    hdf5: dict[str, Path] = {}
    for path in _files_below(folders):
        if path.suffix == SUFFIX:
            source = FeatureFile(path)
            if source.encoder != encoder:
                raise DataError(f"{path}: holds features of {source.encoder}; move it to that encoder's folder")
            sources.append(source)
        elif path.suffix == ".h5" and hdf5.setdefault(path.stem, path) != path:
            raise DataError(f"image {path.stem!r} is in {hdf5[path.stem]} and in {path}; take one away")
    if hdf5:
        sources.append(Hdf5Features(place, encoder, hdf5))
    if not sources:
        return None
    return sources[0] if len(sources) == 1 else _Joined(place, sources)


def pictures_below(folder: Path) -> dict[str, Path]:
    """Return the pictures in a folder and in those below it, by the name that features know them by: without suffix.

    Raises:
        DataError: two have the same name.
    """
    found: dict[str, Path] = {}
    for path in _files_below([folder]):
        if path.suffix.lower() in PICTURES and found.setdefault(path.stem, path) != path:
            raise DataError(
                f"{found[path.stem]} and {path} have one name, by which features are found; rename one, or extract "
                "their folders one by one"
            )
    return dict(sorted(found.items()))


def open_picture(path: Path) -> Image:
    """Decode a picture in mode RGB.

    Raises:
        DataError: it is not there or does not decode.
    """
    return decode(path, str(path), path.stem)


def _files_below(folders: Sequence[Path]) -> Iterator[Path]:
    """All files, links followed, in one order everywhere."""
    for top in folders:
        for place, below, names in os.walk(top, followlinks=True):
            below.sort()
            yield from (Path(place, name) for name in sorted(names))


def pooled(grid: np.ndarray) -> np.ndarray:
    """Patches of a square grid (side², width), row by row -> (36, width): maxima over 6 × 6 windows.

    The windows are those of torch's adaptive pooling: of 7 × 7 patches, every 2 × 2 ones.
    """
    side = isqrt(len(grid))
    if side == GRID:
        return grid
    windows = [slice(row * side // GRID, -(-(row + 1) * side // GRID)) for row in range(GRID)]
    squares = grid.reshape(side, side, -1).astype(np.float32)  # of halves, numpy's maxima are slow
    rows = np.stack([squares[window].max(0) for window in windows])
    maxima = np.stack([rows[:, window].max(1) for window in windows], axis=1)
    return maxima.reshape(GRID**2, -1).astype(grid.dtype)
