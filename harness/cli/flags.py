"""The options that commands share, and what they are turned into."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from harness.errors import UserError
from harness.expand import Choice
from harness.plan import Overwrite
from harness.run_folder import RunFolder

Grid = Annotated[str, typer.Option(help="A built-in grid (see `list grids`) or the path of a grid file.")]
Suites = Annotated[str, typer.Option(help="Only these suites: names or globs, comma-separated.")]
Backbones = Annotated[str, typer.Option(help="Only these backbones: names or globs, comma-separated.")]
Methods = Annotated[str, typer.Option(help="Only these methods: names or globs, comma-separated.")]
Seeds = Annotated[str, typer.Option(help="These seeds instead of the grid's, comma-separated.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Override: settings.epochs=2, or lora-single.rank=4. May be repeated."),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Examples per task and split; scores compare no more.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Precision = Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")]
Data = Annotated[Path | None, typer.Option(envvar="HARNESS_DATA", help="Folder with the data of the real suites.")]
Weights = Annotated[Path | None, typer.Option(help="Folder with a backbone's weights, instead of the hub's.")]
Output = Annotated[Path | None, typer.Option(help="The run's folder. [default: runs/<grid name>]")]
OverwriteFlag = Annotated[
    Overwrite, typer.Option(help="Which cells with a result run again: none, those that failed, or all.")
]
Plugins = Annotated[
    list[Path] | None, typer.Option("--plugin", help="A Python file with methods or tasks. May be repeated.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Cells at a time. [default: one per core or CUDA device]")]

WIDE = 10_000  # columns of a table that goes to a file or a pipe: a row is a line


def split(text: str) -> tuple[str, ...]:
    """A comma list as a tuple; empty for empty text."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def choose(
    suites: str,
    backbones: str,
    methods: str,
    seeds: str,
    overrides: list[str] | None,
    limit: int | None,
    precision: str,
    device: str,
) -> Choice:
    """Put the filters and overrides of the command line together.

    Raises:
        UserError: a seed is not a whole number.
    """
    settings: dict[str, Any] = {}
    if limit is not None:
        settings["limit"] = limit
    if precision:
        settings["precision"] = precision
    try:
        numbers = tuple(dict.fromkeys(int(seed) for seed in split(seeds)))
    except ValueError as error:
        raise UserError(f"--seeds {seeds}: give whole numbers separated by commas, such as 0,1,2") from error
    if any(number < 0 for number in numbers):
        raise UserError(f"--seeds {seeds}: a seed is at least 0")
    return Choice(split(suites), split(backbones), split(methods), numbers, tuple(overrides or ()), settings, device)


def checked_folder(folder: Path | None, option: str) -> Path | None:
    """A folder that the user gave, absolute.

    Raises:
        UserError: it is given but is not a folder.
    """
    if folder is None:
        return None
    if not folder.is_dir():
        raise UserError(f"{option} {folder}: is not a folder")
    return folder.resolve()


def resolved(files: list[Path] | None) -> tuple[Path, ...]:
    """Plugin files, absolute, so that cells find them from any folder."""
    return tuple(path.resolve() for path in files or ())


def run_folder(output: Path | None, grid_name: str) -> RunFolder:
    """The folder of a run: as given, or ``runs/<grid name>``."""
    return RunFolder(output or Path("runs") / grid_name)


def console(to_stderr: bool = False, quiet: bool = False) -> Console:
    """Where human output goes; wide when nobody looks."""
    terminal = Console(stderr=to_stderr, quiet=quiet, highlight=False, no_color=True if _no_colour() else None)
    if not terminal.is_terminal:
        terminal.width = WIDE
    return terminal


def show(out: Console, table: Table) -> None:
    """Print a table; where nobody looks, every row is one line without blanks at its end."""
    if out.is_terminal:
        out.print(table, markup=False)
        return
    with out.capture() as captured:
        out.print(table, markup=False)
    show_lines(out, *(line.rstrip() for line in captured.get().splitlines()))


def show_lines(out: Console, *lines: str) -> None:
    """Print lines as they are."""
    for line in lines:
        out.print(line, markup=False, soft_wrap=not out.is_terminal)


def _no_colour() -> bool:
    return bool(os.environ.get("NO_COLOR"))
