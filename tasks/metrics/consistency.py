"""Consistency of NLVR (Suhr et al. 2017): the share of sentences whose every judgement is right."""

from __future__ import annotations

from collections.abc import Sequence


def consistency(per_example: Sequence[float], groups: Sequence[str]) -> float:
    """Return the share of groups whose examples all score 1 (0.0 for no example).

    Args:
        per_example: 1 for a right judgement, 0 for a wrong one.
        groups: what makes examples belong together; for NLVR the number of the sentence.
    """
    right: dict[str, bool] = {}
    for group, score in zip(groups, per_example, strict=True):
        right[group] = right.get(group, True) and score == 1.0
    return sum(right.values()) / len(right) if right else 0.0
