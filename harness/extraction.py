"""Extraction: the features of all pictures in a folder, in one feature file (`tasks.features`).

While it is made, the file is called ``FILE.part``: a header for all pictures, then the rows that are done, in their
order. Whatever ends the process, the same command goes on behind the last whole row. A finished file is brought up to
date: rows of pictures that are as they were are copied, and rows of pictures that are gone are kept.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from harness.backbones.vision import ImageEncoder, to_pixels
from harness.errors import NothingMatched, UserError
from harness.store import Progress, silent
from tasks import DataError
from tasks.features import (
    PICTURES,
    SUFFIX,
    FeatureFile,
    FeatureIndex,
    Layout,
    open_picture,
    pictures_below,
    read_layout,
)

Loaded = tuple[np.ndarray | None, list[str | None]]
"""The pictures of a batch that decoded (n, 3, size, size), and of each picture what is wrong with it."""

Tell = Callable[[str], None]
"""Called with one sentence about each picture that does not decode, as soon as that is known."""


@dataclass(frozen=True)
class Work:
    """How pictures are encoded; of no consequence for the features but for the precision."""

    dtype: torch.dtype = torch.float32
    batch_size: int = 64
    workers: int = 0  # processes that decode; 0: this one does

    @property
    def precision(self) -> str:
        """Name of the dtype."""
        return str(self.dtype).removeprefix("torch.")


@dataclass(frozen=True)
class Extracted:
    """What an extraction came to."""

    index: FeatureIndex  # of the file
    encoded: int  # pictures that this call has tried to encode


def default_output(folder: Path, encoder: str) -> Path:
    """Where tasks look for the features of photos in this folder: beside it."""
    folder = folder.resolve()
    return folder.parent / "features" / encoder / f"{folder.name}{SUFFIX}"


def extract(
    encoder: ImageEncoder,
    folder: Path,
    output: Path,
    work: Work = Work(),
    progress: Progress = silent,
    tell: Tell = lambda _sentence: None,
) -> Extracted:
    """Write the features of all pictures in a folder, or bring an earlier file of theirs up to date.

    Raises:
        NothingMatched: there is no picture.
        DataError: two pictures have one name, or an earlier file is broken.
        UserError: an earlier file holds other features, another process writes this one, it cannot be written, or the
            features cannot be computed.
    """
    pictures = pictures_below(folder)
    if not pictures:
        raise NothingMatched(f"{folder}: no picture in it or below; looked for {', '.join(PICTURES)}")
    earlier = _earlier(output, encoder, work)
    before = earlier.index.size_of if earlier else {}
    kept = {name: before[name] for name in (earlier.names if earlier else ())}
    sizes = dict(sorted((kept | {name: path.stat().st_size for name, path in pictures.items()}).items()))
    if earlier and sizes == before:
        return Extracted(earlier.index, 0)
    index = FeatureIndex(
        encoder=encoder.name,
        fingerprint=encoder.fingerprint,
        precision=work.precision,
        names=tuple(sizes),
        sizes=tuple(sizes.values()),
        whole="0" * len(sizes),
    )
    layout = Layout(index, encoder.tokens, encoder.width)
    nothing = np.full(layout.shape[1:], np.nan, np.float16)
    with _part(output, layout) as (file, done), _watching_workers():
        left = index.names[done:]
        fresh = [name for name in left if before.get(name) != sizes[name]]
        rows = _encoded(encoder, [pictures[name] for name in fresh], work, tell)
        for name in left:
            if before.get(name) != sizes[name]:
                row = next(rows)
            else:
                row = earlier.read(name) if earlier and name in earlier.names else None
            file.write((nothing if row is None else row).tobytes())
            file.flush()
            done += 1
            progress(f"features of {folder}", done, len(sizes))
    return Extracted(read_layout(output).index, len(fresh))


def _earlier(output: Path, encoder: ImageEncoder, work: Work) -> FeatureFile | None:
    """The file that is there, if it is of this encoder."""
    if not output.exists():
        return None
    found = FeatureFile(output)
    made_by = (found.index.encoder, found.index.fingerprint, found.index.precision)
    if made_by != (encoder.name, encoder.fingerprint, work.precision):
        raise UserError(
            f"{output}: holds features of {found.encoder} in {found.index.precision}, not of {encoder.name} with these "
            f"weights in {work.precision}; give another --output, or take the file away"
        )
    return found


@contextmanager
def _part(output: Path, layout: Layout) -> Iterator[tuple[BinaryIO, int]]:
    """Give the file to write rows to and the number of those in it; at the end, finish it and put it into place."""
    part = output.with_name(f"{output.name}.part")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:
            _lock(file, part)
            done = _rows_in(part, layout)
            end = len(layout.header) + done * layout.row_bytes
            needed, free = layout.total_bytes - end, shutil.disk_usage(output.parent).free
            if needed > free:
                raise UserError(
                    f"{output}: needs {needed / 1e9:.1f} GB, but {free / 1e9:.1f} GB are free; free space, or give an "
                    "--output elsewhere"
                )
            if not done:
                file.write(layout.header)
            file.truncate(end)
            file.seek(end)
            yield file, done
            file.flush()
            file.seek(0)
            file.write(_marked(part, layout).header)
            file.flush()
            os.fsync(file.fileno())
            part.replace(output)
    except OSError as error:
        raise UserError(
            f"{part}: cannot be written ({error.strerror}); free space or make the folder writable: the same command "
            "goes on from there"
        ) from error


def _lock(file: BinaryIO, part: Path) -> None:
    """Keep other processes out; the lock vanishes with this one."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if part.exists() and part.stat().st_ino == os.fstat(file.fileno()).st_ino:  # else it was finished just now
            return
    except BlockingIOError:
        pass
    raise UserError(f"{part}: another process writes it; wait for it, or give another --output")


def _rows_in(part: Path, layout: Layout) -> int:
    """Number of whole rows in a file that an earlier process left.

    Raises:
        UserError: they are rows of other pictures or of another encoder.
    """
    size = part.stat().st_size
    if size < len(layout.header):
        return 0
    try:
        found = read_layout(part)
    except DataError:
        found = None
    # The marks are written last, and a kill may have fallen into that.
    if found is None or found.shape != layout.shape or _unmarked(found.index) != _unmarked(layout.index):
        raise UserError(
            f"{part}: is of an earlier extraction of other pictures or weights; put these back as they were, or take "
            "the file away to begin anew"
        )
    return min((size - len(layout.header)) // layout.row_bytes, layout.shape[0])


def _unmarked(index: FeatureIndex) -> FeatureIndex:
    return index.model_copy(update={"whole": ""})


def _marked(part: Path, layout: Layout) -> Layout:
    """The same layout with marks of which rows are whole; its header is as long."""
    rows = layout.rows(part, layout.shape[0])
    whole = "".join("0" if lost else "1" for lost in np.isnan(rows[:, 0, 0]).tolist())
    return Layout(layout.index.model_copy(update={"whole": whole}), *layout.shape[1:])


class _Pictures(Dataset[np.ndarray | str]):
    """Pictures as pixels (3, size, size), float32, or what is wrong with them."""

    def __init__(self, paths: Sequence[Path], size: int) -> None:
        self.paths = paths
        self.size = size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> np.ndarray | str:
        try:
            return to_pixels(open_picture(self.paths[number]), self.size).numpy()
        except DataError as error:
            return str(error)


def _stacked(batch: Sequence[np.ndarray | str]) -> Loaded:
    """Make a batch of numpy arrays, which travel through pipes.

    Tensors would travel through shared memory, of which containers have little.
    """
    good = [pixels for pixels in batch if isinstance(pixels, np.ndarray)]
    return np.stack(good) if good else None, [entry if isinstance(entry, str) else None for entry in batch]


def _encoded(encoder: ImageEncoder, paths: Sequence[Path], work: Work, tell: Tell) -> Iterator[np.ndarray | None]:
    """The features of each picture (36, width), float16; None for one that does not decode."""
    if not paths:
        return
    pictures = _Pictures(paths, encoder.image_size)
    with warnings.catch_warnings(action="ignore"):  # that these are many processes for this machine
        batches = iter(DataLoader(pictures, work.batch_size, num_workers=work.workers, collate_fn=_stacked))
    for pixels, wrongs in batches:
        features = iter(() if pixels is None else _encode(encoder, torch.from_numpy(pixels), work))
        for wrong in wrongs:
            if wrong is not None:
                tell(wrong)
            yield None if wrong is not None else next(features)


@contextmanager
def _watching_workers() -> Iterator[None]:
    """Say in one line that a worker was killed, which torch tells at any point of the main process."""
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise UserError(
            "a process that decodes pictures was killed, perhaps for lack of memory; give fewer --workers or a smaller "
            "--batch-size: the same command goes on from there"
        ) from error


def _encode(encoder: ImageEncoder, pixels: torch.Tensor, work: Work) -> np.ndarray:
    try:
        features = encoder.encode_pixels(pixels, work.dtype).half().cpu()
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"{len(pixels)} pictures at once do not fit into the device's memory; give a smaller --batch-size: the "
            "same command goes on from there"
        ) from error
    if not torch.isfinite(features).all():
        raise UserError(f"image encoder {encoder.name}: its features do not fit into float16; are its weights whole?")
    return features.numpy()
