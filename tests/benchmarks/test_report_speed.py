"""Rendering a large run: 1,000 cells × 4 tasks, from result files to a written report."""

from __future__ import annotations

import sys
from pathlib import Path

from reports.render import render

sys.path.insert(0, str(Path(__file__).parents[1] / "reports"))

from synthetic import many_cells, write_run

CELLS, FEW = 1_000, 50
SECONDS = 10.0
BYTES = 10_000_000


def test_a_thousand_cells_render_in_seconds(tmp_path: Path, benchmark) -> None:
    cells = CELLS if benchmark.enabled else FEW
    large_run = write_run(tmp_path / "run", many_cells(cells))
    page = benchmark.pedantic(render, args=(large_run,), rounds=1, warmup_rounds=0)
    assert page.read_text().count("<tr") > cells
    assert page.stat().st_size < BYTES
    if benchmark.stats is not None:  # None where benchmarks are switched off
        assert benchmark.stats.stats.max < SECONDS
