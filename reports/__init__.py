"""From the result files of a run to tables, figures and one page.

`load` gives pandas data frames; `reports.render.render` writes the report and is not imported here, so that
whoever only writes records does not pay for drawing.
"""

from reports.load import Run, load
from reports.record import RecordError

__all__ = ["RecordError", "Run", "load"]
