"""From a run folder to its report: ``index.html``, ``report.md``, ``tables/`` and ``figures/``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from reports.export import export_frame, table_to_csv
from reports.files import write_bytes, write_text
from reports.html import write_html
from reports.latex import table_to_latex
from reports.markdown import write_markdown, write_table
from reports.report import assemble
from reports.run import load
from reports.table import Table

WRITERS: dict[str, Callable[[Table], str]] = {"csv": table_to_csv, "tex": table_to_latex, "md": write_table}


def render(run_folder: Path, output: Path | None = None) -> Path:
    """Write the report of a run and return the path of its page; an older report is replaced file by file.

    Args:
        run_folder: the folder that holds ``cells/``.
        output: where to write; ``report/`` in the run folder if not given.

    Raises:
        RecordError: there is no such run, it has no cells, or a file cannot be written.
    """
    run = load(Path(run_folder))
    report = assemble(run)
    output = Path(output) if output is not None else run.folder / "report"
    for name, frame in (("cells", run.cells), ("scores", run.scores), ("curves", run.curves)):
        export_frame(frame, output / "tables", name)
    for table in report.tables:
        if table is not report.every_cell:  # cells.csv holds it already, with all columns
            for suffix, as_text in WRITERS.items():
                write_text(output / "tables" / f"{table.name}.{suffix}", as_text(table))
    for board in report.boards:
        if board.picture is not None:
            write_text(output / "figures" / f"{board.picture.name}.svg", board.picture.svg)
    write_text(output / "report.md", write_markdown(report))
    for name, content in report.explorable.files.items():
        write_bytes(output / name, content)
    page = output / "index.html"
    write_text(page, write_html(report, os.path.relpath(run.folder.resolve(), output.resolve())))
    return page
