"""``plan``: what a run would do, which is also the first half of ``run``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.table import Table

from harness.catalogue import Catalogue
from harness.cli import flags
from harness.engines.local import find_slots
from harness.expand import Choice, expand
from harness.grid import GridFile, load_grid
from harness.options import Options
from harness.plan import Overwrite, Planned, counts, estimate_seconds
from harness.plan import plan as make_plan
from harness.progress import labels
from harness.run_folder import RunFolder
from reports.formats import rough_duration


@dataclass(frozen=True)
class Work:
    """A grid, resolved, with what is to be done about each of its cells."""

    file: GridFile
    folder: RunFolder
    planned: list[Planned]


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
    device: flags.Device = "auto",
    precision: flags.Precision = "",
    overwrite: flags.OverwriteFlag = "never",
    plugin: flags.Plugins = None,
    as_json: flags.Json = False,
) -> int:
    """Show what `run` with the same options would do. Writes nothing."""
    choice = flags.choose(suites, backbones, methods, seeds, overrides, limit, precision, device)
    weights = flags.checked_folder(weights, "--weights")
    plugins = flags.resolved(plugin)
    options = Options(data=flags.checked_folder(data, "--data"), weights=weights, device=device, plugins=plugins)
    return show(resolve(grid, choice, options, output, overwrite), device, jobs, as_json)


def resolve(grid: str, choice: Choice, options: Options, output: Path | None, overwrite: Overwrite) -> Work:
    """Read a grid, expand it and look at what is there; broken plugins are warned about."""
    file = load_grid(grid)
    folder = flags.run_folder(output, file.grid.name)
    catalogue = Catalogue(options.data, options.weights, options.plugins)
    cells = expand(file, catalogue, choice)
    for registry in (catalogue.methods, catalogue.tasks):
        for plugin in registry.broken:
            typer.echo(f"warning: {registry.kind}s in {plugin.origin} are left out: {plugin.error}", err=True)
    return Work(file, folder, make_plan(cells, folder, catalogue, overwrite))


def show(work: Work, device: str, jobs: int | None, as_json: bool) -> int:
    """Print a plan."""
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
    named = labels(entry.cell for entry in work.planned)
    for entry in work.planned:
        table.add_row(entry.state, named[entry.cell.key], entry.reason or "")
    flags.show(out, table)
    states = counts(work.planned)
    slots = len(find_slots(device, jobs, states.get("planned", 0)))
    seconds = estimate_seconds(work.planned, slots)
    about = f"; about {rough_duration(seconds)} with {slots} jobs" if seconds else ""
    out.print(f"{', '.join(f'{number} {state}' for state, number in states.items())}{about}", soft_wrap=True)
    return 0
