"""The bootstrap of a large run: 1,000 cells × 10,000 questions × 1,000 draws."""

from __future__ import annotations

import numpy as np

from reports.statistics import two_level_bootstrap

CELLS, QUESTIONS, DRAWS = 1_000, 10_000, 1_000
SECONDS = 60.0


def test_a_thousand_cells_are_drawn_in_seconds(benchmark) -> None:
    scores = np.random.default_rng(0).integers(0, 2, (QUESTIONS, CELLS, 1)).astype(np.float64)
    groups = [range(start, start + 4) for start in range(0, CELLS, 4)]
    arguments = (scores, np.ones((QUESTIONS, 1)), groups, DRAWS)
    drawn = benchmark.pedantic(two_level_bootstrap, args=arguments, rounds=1, warmup_rounds=0)
    assert drawn.shape == (DRAWS, len(groups), 1)
    if benchmark.stats is not None:  # None where benchmarks are switched off
        assert benchmark.stats.stats.max < SECONDS
