"""What a task that reads files builds on: two kinds of tasks, and readers whose errors name file, line and record."""

from tasks._files import ParquetImages, read_parquet
from tasks._folder import FolderTask, held_out
from tasks._json import in_lines, in_list, in_object, values_of
from tasks._photos import PhotoTask
from tasks._source import Source, Step

__all__ = [
    "FolderTask",
    "ParquetImages",
    "PhotoTask",
    "Source",
    "Step",
    "held_out",
    "in_lines",
    "in_list",
    "in_object",
    "read_parquet",
    "values_of",
]
