"""Writing so that a reader sees the old file or the new one, never half of one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from reports.record import RecordError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success it becomes ``path``, on failure it vanishes.

    Raises:
        RecordError: the folder or the file cannot be written (permission, full disk).
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}-")
        os.close(descriptor)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o644)  # mkstemp makes private files; a report is to be shared
        os.replace(temporary, path)  # noqa: PTH105 - the name says that the target is overwritten
    except OSError as error:
        raise RecordError(
            f"{path}: cannot be written ({error.strerror or error}); free or choose another place"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with Unix line ends; raises as `replacing`."""
    write_bytes(path, text.encode("utf-8", errors="replace"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file; raises as `replacing`."""
    write(path, lambda temporary: temporary.write_bytes(content))


def write(path: Path, into: Callable[[Path], object]) -> None:
    """Let ``into`` fill a temporary file and put it in place; raises as `replacing`."""
    with replacing(path) as temporary:
        into(temporary)
