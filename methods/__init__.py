"""Tuning methods: one file each. A new method is a file in this folder that defines a `Method`."""

from methods.base import Method, Paper, TaskContext
from methods.sites import (
    Backbone,
    Site,
    after,
    around,
    detach,
    norms,
    once_per_batch,
    prefix,
    prompt,
    share,
    unfreeze,
    unfreeze_biases,
    unfreeze_norms,
)

__all__ = [
    "Backbone",
    "Method",
    "Paper",
    "Site",
    "TaskContext",
    "after",
    "around",
    "detach",
    "norms",
    "once_per_batch",
    "prefix",
    "prompt",
    "share",
    "unfreeze",
    "unfreeze_biases",
    "unfreeze_norms",
]
