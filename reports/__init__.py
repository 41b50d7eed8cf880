"""From the result files of a run to tables, figures and one page.

`load` gives pandas data frames; `reports.render.render` writes the report. Both come when first used, so that
whoever only writes records does not wait for pandas or matplotlib.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.record import RecordError

if TYPE_CHECKING:
    from reports.run import Run, load

__all__ = ["RecordError", "Run", "load"]


def __getattr__(name: str) -> Any:
    if name in {"Run", "load"}:
        from reports import run

        return getattr(run, name)
    raise AttributeError(f"module 'reports' has no attribute {name!r}")
