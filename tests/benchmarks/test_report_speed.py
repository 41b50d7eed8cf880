"""Rendering a large run: 1,000 cells × 4 tasks, from result files to a written report."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reports.render import render

sys.path.insert(0, str(Path(__file__).parents[1] / "reports"))

from synthetic import many_cells, write_run

CELLS = 1_000
SECONDS = 10.0
BYTES = 10_000_000


@pytest.fixture(scope="module")
def large_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("large") / "run", many_cells(CELLS))


def test_a_thousand_cells_render_in_seconds(large_run: Path, benchmark) -> None:
    page = benchmark.pedantic(render, args=(large_run,), rounds=1, warmup_rounds=0)
    assert page.read_text().count("<tr") > CELLS
    assert page.stat().st_size < BYTES
    if benchmark.stats is not None:  # None where benchmarks are switched off
        assert benchmark.stats.stats.max < SECONDS
