"""``data status``, ``check`` and ``prepare``: what is here of each task's data, whether it is whole, its layout."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from harness.catalogue import Catalogue
from harness.cli import flags
from harness.cli.contributing import tell
from harness.errors import NothingMatched
from harness.expand import is_pattern, matching
from harness.run_folder import make_folder
from reports.formats import size

if TYPE_CHECKING:
    from harness.contract import Outcome
    from tasks import Part, Task

app = typer.Typer(help="Look at the data of tasks, check them, and bring downloads into their layout.")

Names = Annotated[list[str] | None, typer.Argument(help="Tasks: names or globs, also comma-separated. [default: all]")]


@app.command("status")
def status(
    names: Names = None, data: flags.Data = None, plugin: flags.Plugins = None, as_json: flags.Json = False
) -> int:
    """Say of each task what is there and what is missing, where to get it, its licence, and its size on disk."""
    rows = [_row(task) for task in _tasks(names, data, plugin)]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return 0
    out = flags.console()
    table = Table("task", "state", "there", "size", "licence", box=None, padding=(0, 2, 0, 0), header_style="bold")
    for row in rows:
        table.add_row(*(row[name] for name in ("task", "state", "there")), size(row["bytes"] or None), row["licence"])
    flags.show(out, table)
    for row in rows:
        if row["missing"]:
            flags.show_lines(out, f"{row['task']}: {row['missing']}")
    return 0


@app.command("check")
def check(
    names: Names = None, data: flags.Data = None, plugin: flags.Plugins = None, as_json: flags.Json = False
) -> int:
    """Read everything, decode every image, count against the card, compare checksums; exit with 1 at any fault.

    Without names, the tasks of which something is there are checked.
    """
    from harness.contract.data_rules import DataRules

    tasks = _tasks(names, data, plugin)
    if not names:
        tasks = [task for task in tasks if any(part.there for part in task.parts())]
    if not tasks:
        raise NothingMatched("no data of any task is here; `data status` says where to get them")
    rules = DataRules(_Line())

    def outcomes() -> Iterator[Outcome]:
        for task in tasks:
            yield from rules.outcomes(task)

    return tell(outcomes(), as_json)


@app.command("prepare")
def prepare(
    name: Annotated[str, typer.Argument(metavar="TASK", help="The task.")],
    source: Annotated[Path, typer.Option("--from", help="Folder with the owners' downloads; zip files are read.")],
    data: flags.Data = None,
    plugin: flags.Plugins = None,
) -> int:
    """Write what a task reads from its owners' downloads; what is there is kept, so a call that was stopped goes on.

    Exits with 1 where something is still missing.
    """
    from harness import data_preparation

    flags.checked_folder(source, "--from")
    if data is not None:
        make_folder(data)
    task = Catalogue(data and data.resolve(), plugins=flags.resolved(plugin)).task(name)
    done = data_preparation.prepare(task, source.resolve(), _Line())
    typer.echo(f"{name}: {done.written:,} files written, {done.kept:,} were there already")
    if done.missing is not None:
        typer.echo(f"{name}: {done.missing}")
        return 1
    typer.echo(f"{name}: nothing is missing; `python -m harness data check {name}` reads it all")
    return 0


class _Line:
    """A line about what is being done: on a terminal it changes in place, elsewhere there is a new one at times."""

    def __init__(self) -> None:
        self._in_place = sys.stderr.isatty()
        self._next = time.monotonic() + self._pause()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show it, if it is time."""
        if done == total and self._in_place:
            typer.echo(f"\r{'':79}\r", nl=False, err=True)
        if done == total or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._pause()
        text = f"{done:,} of {total:,}: {what}"
        typer.echo(f"\r{text:79.79}" if self._in_place else text, nl=not self._in_place, err=True)

    def _pause(self) -> float:
        """Seconds between two lines."""
        return 0.2 if self._in_place else 15.0


def _tasks(names: list[str] | None, data: Path | None, plugin: list[Path] | None) -> list[Task]:
    """The tasks that names and globs stand for.

    Raises:
        UserError: there is no such task, or no such folder.
        NothingMatched: a glob matches nothing.
    """
    catalogue = Catalogue(flags.checked_folder(data, "--data"), plugins=flags.resolved(plugin))
    chosen: dict[str, None] = {}
    for pattern in flags.split(",".join(names or ["all"])):
        hits = matching(pattern, catalogue.tasks.names()) if is_pattern(pattern) else [pattern]
        if not hits:
            raise NothingMatched(f"no task matches {pattern}")
        chosen |= dict.fromkeys(hits)
    return [catalogue.task(name) for name in chosen]


def _row(task: Task) -> dict[str, Any]:
    parts, missing, card = task.parts(), task.missing(), task.card
    state = "ready" if parts else "embedded"
    if missing is not None:
        state = "incomplete" if any(part.there for part in parts) else "absent"
    return {
        "task": task.name,
        "state": state,
        "there": _in_words(parts),
        "bytes": sum(part.size for part in parts),
        "licence": card.licence,
        "source": card.source,
        "missing": missing,
        "parts": [asdict(part) for part in parts],
    }


def _in_words(parts: Sequence[Part]) -> str:
    """How many files are there of how many, and likewise of photos."""
    files = [part for part in parts if part.wanted == 1 and (part.needed or part.there)]
    words = [f"{sum(part.there for part in files)} of {len(files)} files"] if files else []
    for part in parts:
        if part.wanted != 1:
            of = "" if part.wanted is None else f" of {part.wanted:,}"
            words.append(f"{part.there:,}{of} in {part.name}")
    return ", ".join(words)
