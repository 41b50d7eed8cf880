"""``run`` and ``cell``."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from harness.claims import present
from harness.cli import flags
from harness.cli.planning import Work, resolve, show
from harness.engines.local import LocalEngine, find_slots
from harness.environment import cores, run_environment
from harness.errors import UserError
from harness.options import Options
from harness.plan import counts, estimate_seconds, prepare, remove_stale
from harness.progress import LINE_SECONDS, Progress, labels
from harness.run_folder import CellFolder, now, require_writable
from reports.record import FINAL, State

FAILED = FINAL - {"done"}
INTERRUPTED = 130
VERBOSE_LINE_SECONDS = 3.0


def run(
    grid: flags.Grid = "full",
    suites: flags.Suites = "",
    backbones: flags.Backbones = "",
    methods: flags.Methods = "",
    seeds: flags.Seeds = "",
    overrides: flags.Set = None,
    limit: flags.Limit = None,
    data: flags.Data = None,
    weights: flags.Weights = None,
    output: flags.Output = None,
    jobs: flags.Jobs = None,
    device: flags.Device = "auto",
    precision: flags.Precision = "",
    overwrite: flags.OverwriteFlag = "never",
    timeout: Annotated[float | None, typer.Option(min=1, help="Seconds that one cell may take.")] = None,
    plugin: flags.Plugins = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")] = False,
    require_all: Annotated[bool, typer.Option("--require-all", help="Refuse when a cell is unavailable.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say more, more often.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show no progress.")] = False,
    as_json: flags.Json = False,
) -> int:
    """Run a grid and write its report. The same command continues an interrupted run."""
    started_at = now()
    choice = flags.choose(suites, backbones, methods, seeds, overrides, limit, precision, device)
    options = Options(
        data=flags.checked_folder(data, "--data"),
        weights=flags.checked_folder(weights, "--weights"),
        device=device,
        plugins=flags.resolved(plugin),
    )
    out = flags.console(to_stderr=as_json, quiet=quiet)
    work = resolve(grid, choice, options, output, overwrite)
    if dry_run:
        return show(work, device, jobs, as_json)
    _require(work, require_all)
    waiting = counts(work.planned).get("planned", 0)
    slots = find_slots(device, jobs, waiting)
    options = options.model_copy(update={"threads": _threads(slots)})
    work.folder.create()
    if waiting:
        require_writable(options.cache, "free space or set HARNESS_CACHE to another folder")
    with present(work.folder.runners_path, alone=lambda: remove_stale(work.planned, work.folder)):
        folders = prepare(work.planned, options)
        _describe(work, folders, started_at)
        _announce(out, work, folders, verbose)
        engine = LocalEngine(slots, options.threads, timeout)
        interrupted = _drive(engine, work, folders, out, VERBOSE_LINE_SECONDS if verbose else LINE_SECONDS)
    return _conclude(work, interrupted, as_json)


def cell(folder: Annotated[Path, typer.Argument(help="A cell's folder, made by `run`.")]) -> int:
    """Run one cell in this process, as every engine does."""
    from harness.worker import TAKEN, work

    if work(folder) == TAKEN:
        raise UserError(f"{folder}: the cell has a result or another runner has it; nothing was done")
    status = CellFolder(folder).status()
    state = status.state if status else "failed"
    typer.echo(f"{state}: {status.reason}" if status and status.reason else state)
    return 1 if state in FAILED else 0


def _require(work: Work, everything: bool) -> None:
    absent = [entry for entry in work.planned if entry.state == "unavailable"]
    if everything and absent:
        raise UserError(f"--require-all: {len(absent)} cells are unavailable: {absent[0].reason}")


def _threads(slots: Sequence[str | None]) -> int:
    """Threads of each process: OMP_NUM_THREADS if set; else 1 on CPU, an even share of the cores beside CUDA."""
    wish = os.environ.get("OMP_NUM_THREADS", "")
    if wish.isdigit() and int(wish) > 0:
        return int(wish)
    return 1 if slots[0] is None else max(1, cores() // len(slots))


def _describe(work: Work, folders: Sequence[CellFolder], started_at: str) -> None:
    """Write what is run, and on what, beside the results."""
    work.folder.write_grid(work.file.text)
    before = work.folder.environment()
    if folders or before is None:  # a look at a finished run does not change what it says of itself
        first = (before or {}).get("started_at") or started_at
        work.folder.write_environment(run_environment(sys.argv[1:], first))


def _announce(out: Console, work: Work, folders: Sequence[CellFolder], verbose: bool) -> None:
    states = counts(work.planned)
    others = {state: number for state, number in states.items() if state != "planned"}
    more = "".join(f", {number} {state}" for state, number in others.items())
    out.print(f"{work.file.grid.name}: {len(folders)} cells to run{more}; folder {work.folder.path}", soft_wrap=True)
    held = [entry.reason for entry in work.planned if entry.state == "running"]
    if held:
        out.print(f"another runner works in this folder ({held[0]}); taking only what it leaves", soft_wrap=True)
    reasons = dict.fromkeys(entry.reason for entry in work.planned if entry.state == "unavailable")
    for reason in reasons:
        out.print(f"unavailable: {reason}", soft_wrap=True, markup=False)
    if verbose:
        named = labels(entry.cell for entry in work.planned)
        for entry in work.planned:
            out.print(f"  {entry.state:<12} {named[entry.cell.key]}", soft_wrap=True, markup=False)


def _drive(engine: LocalEngine, work: Work, folders: Sequence[CellFolder], out: Console, line_seconds: float) -> bool:
    """Run the engine to its end; return whether the user stopped it."""
    paths = {folder.path for folder in folders}
    cells = {entry.folder.path: entry.cell for entry in work.planned if entry.folder.path in paths}
    total = estimate_seconds(work.planned, 1)
    expected = total / len(cells) if total and cells else None
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill is a Ctrl-C
    try:
        with Progress(out, cells, len(engine.slots), line_seconds, expected) as progress:
            engine.run(folders, progress)
    except KeyboardInterrupt:
        return True
    return False


def _conclude(work: Work, interrupted: bool, as_json: bool) -> int:
    """Render the report, say how it went, and choose the exit code."""
    from reports.render import render

    page = render(work.folder.path)
    states: dict[State, int] = {}
    for entry in work.planned:
        status = None if entry.finished else entry.folder.status()
        state: State = status.state if status else entry.state
        states[state] = states.get(state, 0) + 1
    failed = sum(number for state, number in states.items() if state in FAILED)
    if as_json:
        typer.echo(json.dumps({"run": str(work.folder.path), "report": str(page), "states": states}))
    else:
        typer.echo(", ".join(f"{number} {state}" for state, number in states.items()))
        if failed:
            typer.echo("failed cells stay as they are; --overwrite failed runs them again")
        typer.echo(f"report: {page}")
    if interrupted:
        typer.echo("interrupted; the same command continues", err=True)
        return INTERRUPTED
    return 1 if failed else 0
