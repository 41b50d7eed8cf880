"""Statistics over seeds, examples and tasks; nothing here knows a run, a method or a table."""

from __future__ import annotations

from reports.statistics.bootstrap import interval, two_level_bootstrap
from reports.statistics.differences import ALPHA, POWER, detectable_difference, holm, noise_limit, sign_flips, welch
from reports.statistics.ranks import critical_difference, draw_means, friedman, mean_ranks
from reports.statistics.summary import Summary, pooled_deviation, summarise

__all__ = [
    "ALPHA",
    "POWER",
    "Summary",
    "critical_difference",
    "detectable_difference",
    "draw_means",
    "friedman",
    "holm",
    "interval",
    "mean_ranks",
    "noise_limit",
    "pooled_deviation",
    "sign_flips",
    "summarise",
    "two_level_bootstrap",
    "welch",
]
