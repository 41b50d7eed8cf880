"""Tuning methods: one file each. A new method is a file in this folder that defines a `Method`."""

from methods.base import Method, Paper, TaskContext
from methods.sites import (
    Backbone,
    Passage,
    SideNetwork,
    Site,
    after,
    around,
    beside,
    norms,
    once_per_batch,
    prefix,
    prompt,
    read_ends,
    unfreeze,
    unfreeze_biases,
    unfreeze_norms,
)

__all__ = [
    "Backbone",
    "Method",
    "Paper",
    "Passage",
    "SideNetwork",
    "Site",
    "TaskContext",
    "after",
    "around",
    "beside",
    "norms",
    "once_per_batch",
    "prefix",
    "prompt",
    "read_ends",
    "unfreeze",
    "unfreeze_biases",
    "unfreeze_norms",
]
