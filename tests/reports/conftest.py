"""Shared by the tests of reports: writing a synthetic run into a temporary folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from synthetic import Synthetic, write_run

WriteRun = Callable[..., Path]


@pytest.fixture
def run_of(tmp_path: Path) -> WriteRun:
    """``run_of(cell, cell, …, environment=…)`` writes a run folder and returns it."""

    def write(*cells: Synthetic, environment: dict[str, Any] | None = None) -> Path:
        return write_run(tmp_path / "run", list(cells), environment)

    return write
