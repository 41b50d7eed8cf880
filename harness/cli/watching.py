"""``status`` and ``report``: looking at a run folder, also while it runs in another terminal."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from harness.cells import Cell
from harness.claims import holder_of
from harness.cli import flags
from harness.progress import labels, standing
from harness.run_folder import CLAIM, CellFolder, RunFolder
from reports.record import RecordError, Status

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, such as runs/full.")]


@dataclass(frozen=True)
class Seen:
    """A cell's folder as it looks from outside."""

    folder: CellFolder
    cell: Cell | None  # None: its configuration is broken
    status: Status


def status(run: RunArgument, as_json: flags.Json = False) -> int:
    """Show how far a run is; works from another terminal. A cell with a broken file is shown as failed."""
    folder = RunFolder(run)
    folder.require()
    seen = [_look(cell) for cell in folder.cells()]
    counts = Counter(one.status.state for one in seen)
    if as_json:
        cells = [
            {"path": str(one.folder.path.relative_to(folder.cells_path)), **one.status.model_dump()} for one in seen
        ]
        typer.echo(json.dumps({"run": str(run), "states": counts, "cells": cells}, indent=1))
        return 0
    out = flags.console()
    table = Table("state", "cell", "phase", "step", "loss", "left", box=None, padding=(0, 2, 0, 0))
    named = labels(one.cell for one in seen if one.cell is not None)
    for one in seen:
        state = one.status
        if state.state in ("done", "planned", "unavailable"):
            continue
        now = standing(state)
        place = str(one.folder.path.relative_to(folder.cells_path))
        table.add_row(state.state, named[one.cell.key] if one.cell else place, now.phase, now.step, now.loss, now.left)
        if state.reason:
            table.add_row("", f"  {state.reason}")
    if table.row_count:
        flags.show(out, table)
    out.print(f"{run}: {', '.join(f'{number} {name}' for name, number in counts.items())}", soft_wrap=True)
    return 0


def report(
    run: RunArgument,
    output: Annotated[Path | None, typer.Option(help="Where to write. [default: RUN/report]")] = None,
) -> int:
    """Write the report of a run, finished or not, and print where it is."""
    import reports
    from reports.render import render
    from reports.trust import verdict_lines

    RunFolder(run).require()
    typer.echo(str(render(run, output)))
    for line in verdict_lines(reports.load(run)):
        typer.echo(line)
    return 0


def _look(folder: CellFolder) -> Seen:
    """A cell with its status, whatever of its files is broken."""
    cell = None
    try:
        cell = folder.cell()
        status = _status(folder)
    except RecordError as error:
        status = Status(state="failed", reason=str(error))
    return Seen(folder, cell, status)


def _status(folder: CellFolder) -> Status:
    """The status of a cell; one that "runs" without a living process was killed."""
    result = folder.result()
    status = folder.status() or Status(state="planned")
    if result is not None:
        return status.model_copy(update={"state": result.state, "reason": result.reason})
    if status.state == "running" and holder_of(folder.path / CLAIM) is None:
        reason = "its process is gone; the same `run` command runs it again"
        return status.model_copy(update={"state": "interrupted", "reason": reason})
    return status
