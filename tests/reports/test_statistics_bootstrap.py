"""The bootstrap over seeds and clusters, against closed forms and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap

from reports.statistics import interval, two_level_bootstrap

DRAWS = 4_000


def one_task(totals: np.ndarray, sizes: np.ndarray, groups: list[list[int]], **more: int) -> np.ndarray:
    """Draws of one task (draws, groups) from totals (clusters, runs)."""
    return two_level_bootstrap(totals[:, :, None], sizes[:, None], groups, **{"draws": DRAWS} | more)[:, :, 0]


def test_one_seed_has_the_interval_of_scipys_bootstrap() -> None:
    scores = np.random.default_rng(0).random(300) ** 2
    drawn = interval(one_task(scores[:, None], np.ones(300), [[0]]))[:, 0]
    theirs = bootstrap((scores,), np.mean, n_resamples=DRAWS, method="percentile", rng=np.random.default_rng(1))
    expected = theirs.confidence_interval
    assert drawn == pytest.approx([expected.low, expected.high], abs=0.003)


def test_examples_of_one_image_count_as_one() -> None:
    """Ten copies of a score are one: the variance is that of the clusters' means, s² / clusters."""
    means = np.random.default_rng(0).random(400)
    drawn = one_task(10 * means[:, None], np.full(400, 10.0), [[0]])
    assert drawn.var() == pytest.approx(means.var() / 400, rel=0.1)
    assert drawn.mean() == pytest.approx(means.mean(), abs=0.005)


def test_clusters_of_different_sizes_are_weighted_by_their_examples() -> None:
    sizes = np.array([1.0, 3.0])
    drawn = one_task(np.array([[1.0], [0.0]]), sizes, [[0]])
    shares = {round(float(value), 6): float((drawn == value).mean()) for value in np.unique(drawn)}
    assert set(shares) == {0.0, 0.25, 1.0}
    assert shares[0.25] == pytest.approx(0.5, abs=0.03)


def test_seeds_add_their_variance_to_that_of_the_images() -> None:
    """Crossed levels without interaction: (1 − 1/n) s²/n of the seeds plus σ²/clusters of the images."""
    generator = np.random.default_rng(5)
    images, seeds = generator.normal(0, 0.5, 500), np.array([0.0, 0.06, -0.03])
    totals = images[:, None] + seeds
    drawn = one_task(totals, np.ones(500), [[0, 1, 2], [1]])
    assert drawn[:, 0].var() == pytest.approx(images.var() / 500 + seeds.var() / 3, rel=0.1)
    assert drawn[:, 1].var() == pytest.approx(images.var() / 500, rel=0.1)
    assert drawn[:, 1].mean() == pytest.approx(totals[:, 1].mean(), abs=0.003)


def test_methods_are_drawn_together() -> None:
    """The same images for both: what they share leaves their difference alone."""
    totals = np.random.default_rng(2).random((200, 1)) + np.array([0.0, 0.1])
    drawn = one_task(totals, np.ones(200), [[0], [1]])
    assert drawn[:, 1] - drawn[:, 0] == pytest.approx(0.1)


def test_a_run_without_scores_has_no_interval_and_spoils_no_other() -> None:
    totals = np.ones((50, 2))
    totals[:, 1] = np.nan
    bounds = interval(one_task(totals, np.ones(50), [[0], [1]]))
    assert bounds[:, 0] == pytest.approx([1, 1]) and np.isnan(bounds[:, 1]).all()


def test_tasks_that_share_images_are_drawn_with_them() -> None:
    scores = np.random.default_rng(0).random((300, 1))
    totals, sizes = np.stack([scores, scores], axis=2), np.ones((300, 2))
    drawn = two_level_bootstrap(totals, sizes, [[0]])
    assert drawn[:, 0, 0] == pytest.approx(drawn[:, 0, 1])


def test_the_seed_decides_the_draws() -> None:
    totals, sizes = np.random.default_rng(0).random((40, 2)), np.ones(40)
    one, same, other = (one_task(totals, sizes, [[0, 1]], seed=seed, draws=50) for seed in (0, 0, 1))
    assert (one == same).all() and not (one == other).all()
