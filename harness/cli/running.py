"""``run``, ``plan`` and ``cell``."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from harness.catalogue import Catalogue
from harness.cli import flags
from harness.engines.local import LocalEngine, cpu_slots, cuda_slots
from harness.environment import cores, run_environment
from harness.errors import UserError
from harness.expand import Choice, expand
from harness.grid import GridFile, load_grid
from harness.options import Options
from harness.plan import Overwrite, Planned, counts, estimate_seconds, prepare
from harness.plan import plan as make_plan
from harness.progress import LINE_SECONDS, Progress, duration, label
from harness.run_folder import CellFolder, RunFolder, now
from reports.record import FINAL, State

FAILED = FINAL - {"done"}
INTERRUPTED = 130
VERBOSE_LINE_SECONDS = 3.0


@dataclass(frozen=True)
class Work:
    """A grid, resolved, with what is to be done about each of its cells."""

    file: GridFile
    folder: RunFolder
    planned: list[Planned]


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
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    precision: flags.Precision = "",
    overwrite: flags.OverwriteFlag = "never",
    timeout: Annotated[float | None, typer.Option(min=1, help="Seconds that one cell may take.")] = None,
    plugin: flags.Plugins = None,
    offline: Annotated[bool, typer.Option("--offline", help="Never download anything.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")] = False,
    require_all: Annotated[bool, typer.Option("--require-all", help="Refuse when a cell is unavailable.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say more, more often.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show no progress.")] = False,
    as_json: flags.Json = False,
) -> int:
    """Run a grid and write its report. The same command continues an interrupted run."""
    started_at = now()
    choice = flags.choose(suites, backbones, methods, seeds, overrides, limit, precision)
    options = Options(
        data=flags.checked_data(data),
        weights=weights.resolve() if weights else None,
        device=device,
        offline=offline or bool(os.environ.get("HF_HUB_OFFLINE")),
        plugins=flags.resolved(plugin),
    )
    out = flags.console(to_stderr=as_json, quiet=quiet)
    work = _plan(grid, choice, options, output, overwrite)
    if dry_run:
        return _show(work, jobs, as_json)
    _require(work, require_all)
    slots = _slots(device, jobs, counts(work.planned).get("planned", 0))
    options = options.model_copy(update={"threads": _threads(slots)})
    work.folder.create()
    folders = prepare(work.planned, work.folder, options)
    work.folder.write_grid(work.file.text)
    work.folder.write_environment(run_environment(sys.argv[1:], started_at))
    _announce(out, work, folders, verbose)
    engine = LocalEngine(slots, options.threads, timeout)
    interrupted = _drive(engine, work, folders, out, VERBOSE_LINE_SECONDS if verbose else LINE_SECONDS)
    return _conclude(work, interrupted, as_json)


def plan(
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
    precision: flags.Precision = "",
    overwrite: flags.OverwriteFlag = "never",
    plugin: flags.Plugins = None,
    as_json: flags.Json = False,
) -> int:
    """Show what `run` with the same options would do. Writes nothing."""
    choice = flags.choose(suites, backbones, methods, seeds, overrides, limit, precision)
    weights = weights.resolve() if weights else None
    options = Options(data=flags.checked_data(data), weights=weights, plugins=flags.resolved(plugin))
    return _show(_plan(grid, choice, options, output, overwrite), jobs, as_json)


def cell(folder: Annotated[Path, typer.Argument(help="A cell's folder, made by `run`.")]) -> int:
    """Run one cell in this process, as every engine does."""
    from harness.worker import TAKEN, work

    if work(folder) == TAKEN:
        raise UserError(f"{folder}: the cell has a result or another runner has it; nothing was done")
    status = CellFolder(folder).status()
    state = status.state if status else "failed"
    typer.echo(f"{state}: {status.reason}" if status and status.reason else state)
    return 1 if state in FAILED else 0


def _plan(grid: str, choice: Choice, options: Options, output: Path | None, overwrite: Overwrite) -> Work:
    file = load_grid(grid)
    folder = flags.run_folder(output, file.grid.name)
    catalogue = Catalogue(options.data, options.weights, options.plugins)
    cells = expand(file, catalogue, choice)
    for registry in (catalogue.methods, catalogue.tasks):
        for plugin in registry.broken:
            typer.echo(f"warning: {registry.kind}s in {plugin.origin} are left out: {plugin.error}", err=True)
    return Work(file, folder, make_plan(cells, folder, catalogue, overwrite))


def _require(work: Work, everything: bool) -> None:
    absent = [entry for entry in work.planned if entry.state == "unavailable"]
    if everything and absent:
        raise UserError(f"--require-all: {len(absent)} cells are unavailable: {absent[0].reason}")


def _slots(device: str, jobs: int | None, cells: int) -> list[str | None]:
    from harness.workbench import find_device

    found = find_device(device)
    if found.type == "cpu":
        return cpu_slots(jobs, cells)
    if found.type == "cuda" and ":" not in device:
        return cuda_slots(jobs)
    return [None] * (jobs or 1)


def _threads(slots: Sequence[str | None]) -> int:
    """Threads of each process: OMP_NUM_THREADS if set; else 1 on CPU, an even share of the cores beside CUDA."""
    wish = os.environ.get("OMP_NUM_THREADS", "")
    if wish.isdigit() and int(wish) > 0:
        return int(wish)
    return 1 if slots[0] is None else max(1, cores() // len(slots))


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
        for entry in work.planned:
            out.print(f"  {entry.state:<12} {label(entry.cell)}", soft_wrap=True, markup=False)


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
        status = entry.folder.status()
        state: State = status.state if status else "planned"
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


def _show(work: Work, jobs: int | None, as_json: bool) -> int:
    if as_json:
        rows = [
            {
                "suite": entry.cell.suite,
                "backbone": entry.cell.backbone,
                "method": entry.cell.method,
                "seed": entry.cell.seed,
                "overrides": entry.cell.overrides,
                "control": entry.cell.settings.control,
                "key": entry.cell.key,
                "state": entry.state,
                "reason": entry.reason,
                "path": str(entry.folder.path),
            }
            for entry in work.planned
        ]
        typer.echo(json.dumps(rows, indent=1))
        return 0
    out = flags.console()
    table = Table("state", "cell", "reason", box=None, header_style="bold", padding=(0, 2, 0, 0))
    for entry in work.planned:
        table.add_row(entry.state, label(entry.cell), entry.reason or "")
    out.print(table)
    states = counts(work.planned)
    slots = len(cpu_slots(jobs, states.get("planned", 0)))
    seconds = estimate_seconds(work.planned, slots)
    about = f"; about {duration(seconds)} with {slots} jobs" if seconds else ""
    out.print(f"{', '.join(f'{number} {state}' for state, number in states.items())}{about}", soft_wrap=True)
    return 0
