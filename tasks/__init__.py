"""Tasks: one file each. A new task is a file in this folder that defines a `Task`."""

from tasks.base import (
    ROLES,
    Card,
    DataError,
    Decoding,
    Example,
    FeatureSource,
    ImageSet,
    Metric,
    Part,
    Role,
    Scored,
    SubmittedTask,
    Task,
)

__all__ = [
    "ROLES",
    "Card",
    "DataError",
    "Decoding",
    "Example",
    "FeatureSource",
    "ImageSet",
    "Metric",
    "Part",
    "Role",
    "Scored",
    "SubmittedTask",
    "Task",
]
