"""From the result files of a run to tables, figures and one page: `load` for pandas, `render` for readers."""

from reports.load import Run, load
from reports.record import RecordError
from reports.render import render

__all__ = ["RecordError", "Run", "load", "render"]
