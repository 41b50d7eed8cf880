"""How and where cells run on this machine: everything a cell needs besides its own configuration.

Nothing in here may change a score, or it belongs into `harness.cells.Settings`.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reports.record import RecordError


def default_cache() -> Path:
    """Where features and tokenised text are kept: ``HARNESS_CACHE``, else the user's cache folder."""
    from platformdirs import user_cache_dir

    return Path(os.environ.get("HARNESS_CACHE") or user_cache_dir("vl-pet-harness"))


class Options(BaseModel):
    """What is passed to a cell besides the `Cell`; the content of ``options.json`` in its folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path | None = None  # folder given by --data
    weights: Path | None = None  # folder given by --weights
    cache: Path = Field(default_factory=default_cache)
    device: str = "auto"  # "auto": CUDA when there is one, else "cpu"
    threads: int = Field(default=1, ge=1)  # of torch, in the cell's process
    plugins: tuple[Path, ...] = ()  # files given by --plugin
    replaces: str | None = None  # digest of the one result that the cell may delete (--overwrite)


def read_options(path: Path) -> Options:
    """Read ``options.json``.

    Raises:
        RecordError: the file is missing or broken.
    """
    try:
        return Options.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        raise RecordError(f"{path}: does not hold options: {error.errors()[0]['msg']}") from error
