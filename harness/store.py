"""The cache on disk: what many cells need and what is slow to make is made once.

An entry is a folder ``<cache>/<kind>/<digest of its key>/`` with files and, written last,
``manifest.json``: the key, and size and digest of every file. It is built beside its place and renamed, so
a kill never leaves half an entry that is taken for whole; one that does not fit its manifest is built
again. One process builds, others wait.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import DTypeLike

from harness.errors import UserError

MANIFEST = "manifest.json"
SAMPLE_BYTES = 1 << 20  # a file's digest covers its size, its first and its last MiB, so that opening stays fast

Progress = Callable[[str, int, int], None]
"""Called with what is being made, how much of it is done and how much there is; often, also while waiting."""

Key = Mapping[str, Any]
"""Everything an entry depends on, as plain data."""


def silent(_what: str, _done: int, _total: int) -> None:
    """A `Progress` that tells nobody."""


class Store:
    """The cache below one folder, shared by all processes of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def entry(self, kind: str, key: Key, build: Callable[[Path], None], progress: Progress = silent) -> Path:
        """Return the folder of an entry; ``build`` fills a new folder with its files when there is none yet.

        Raises:
            UserError: the cache cannot be written.
        """
        place = self.folder / kind / _digest_of(key)
        if _intact(place, key):
            return place
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with _alone(place, kind, progress):
                if not _intact(place, key):  # nobody else made it meanwhile
                    _make(place, key, build)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            raise UserError(
                f"{place}: cannot be written ({error.strerror}); free space or set HARNESS_CACHE"
            ) from error
        return place

    def remembered(self, kind: str, key: Key, compute: Callable[[], Any], progress: Progress = silent) -> Any:
        """Return ``compute()``, which must be plain data, computed once for all processes."""

        def build(folder: Path) -> None:
            _write(folder / "value.json", json.dumps(compute()))

        place = self.entry(kind, key, build, progress)
        return json.loads((place / "value.json").read_text("utf-8"))


def write_array(path: Path, shape: tuple[int, ...], dtype: DTypeLike, blocks: Iterable[np.ndarray]) -> None:
    """Write the blocks, one after another along the first axis, as one array of this shape in numpy's file format.

    A full disk raises an error that says so; it would kill a process that writes into mapped memory, and the error of
    `numpy.save` does not tell why.

    Raises:
        OSError: the file cannot be written.
    """
    kind = np.dtype(dtype)
    header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks:
            file.write(block.astype(kind, copy=False).tobytes())


@contextmanager
def _alone(place: Path, kind: str, progress: Progress) -> Iterator[None]:
    """Hold the entry's lock, which vanishes with its process; call ``progress`` while waiting."""
    lock = FileLock(f"{place}.lock")
    while True:
        try:
            lock.acquire(timeout=0.2)
            break
        except Timeout:
            progress(f"{kind}, made by another process", 0, 0)
    try:
        yield
    finally:
        lock.release()


def _make(place: Path, key: Key, build: Callable[[Path], None]) -> None:
    part = place.with_name(f"{place.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of a build that was killed
    part.mkdir()
    try:
        build(part)
        files = {path.name: _fingerprint(path) for path in sorted(part.iterdir())}
        for name in files:
            _sync(part / name)
        _write(part / MANIFEST, json.dumps({"key": key, "files": files}))
        _sync(part / MANIFEST)
        shutil.rmtree(place, ignore_errors=True)  # what is there is broken
        part.rename(place)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _intact(place: Path, key: Key) -> bool:
    try:
        manifest = json.loads((place / MANIFEST).read_text("utf-8"))
        return manifest["key"] == json.loads(json.dumps(key)) and all(
            _fingerprint(place / name) == fingerprint for name, fingerprint in manifest["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _digest_of(key: Key) -> str:
    return sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:20]


def _fingerprint(path: Path) -> list[Any]:
    """Size in bytes, and the digest of the file's first and last MiB."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(SAMPLE_BYTES)
        file.seek(max(0, size - SAMPLE_BYTES))
        return [size, sha256(head + file.read()).hexdigest()]


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
