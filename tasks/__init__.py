"""Tasks: one file each. A new task is a file in this folder that defines a `Task`."""

from tasks.base import (
    ROLES,
    Card,
    DataError,
    Decoding,
    Example,
    ImageSet,
    Metric,
    Part,
    Role,
    Scored,
    Task,
)

__all__ = [
    "ROLES",
    "Card",
    "DataError",
    "Decoding",
    "Example",
    "ImageSet",
    "Metric",
    "Part",
    "Role",
    "Scored",
    "Task",
]
