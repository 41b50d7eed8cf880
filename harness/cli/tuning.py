"""``tuned``: which learning rates a run found best, and keeping them with the methods."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from harness.cli import flags
from harness.cli.watching import RunArgument
from harness.errors import UserError
from harness.run_folder import RunFolder, write_atomically

if TYPE_CHECKING:
    from reports.tuning import Tuning


def tuned(
    run: RunArgument,
    write: Annotated[bool, typer.Option("--write", help="Keep the rates as the methods' defaults.")] = False,
    as_json: flags.Json = False,
) -> int:
    """Show the best learning rate of each method in a run of `--grid tune-mini`, scored on the selection split."""
    import reports
    from reports.tuning import tunings

    RunFolder(run).require()
    found = tunings(reports.load(run))
    if as_json:
        typer.echo(json.dumps([_plain(tuning) for tuning in found], indent=1))
    else:
        for place in dict.fromkeys((tuning.suite, tuning.backbone) for tuning in found):
            _show([tuning for tuning in found if (tuning.suite, tuning.backbone) == place])
    if write:
        path = _store(found)
        typer.echo(f"wrote {len(found)} rates to {path}", err=as_json)
    return 0


def _plain(tuning: Tuning) -> dict[str, Any]:
    """What other programs read; a rate without an average broke down or is not finished."""
    return {
        "suite": tuning.suite,
        "backbone": tuning.backbone,
        "method": tuning.method,
        "learning_rate": tuning.best.rate if tuning.best else None,
        "at_edge": tuning.at_edge,
        "averaged_over": list(tuning.tasks),
        "averages": {f"{trial.rate:g}": trial.average.mean if trial.average else None for trial in tuning.trials},
        "seeds": list(tuning.seeds),
        "unfinished": tuning.unfinished,
    }


def _show(found: Sequence[Tuning]) -> None:
    """One table per suite and backbone: methods × rates, the best in brackets."""
    first = next((tuning for tuning in found if tuning.tasks), found[0])
    out = flags.console()
    for line in _terms(first):
        out.print(line, soft_wrap=True, markup=False)
    rates = [f"{rate:g}" for rate in first.candidates]
    table = Table("method", *rates, "best", "note", box=None, header_style="bold", padding=(0, 2, 0, 0))
    for tuning in found:
        averages = [_average(tuning, place) for place in range(len(tuning.trials))]
        best = f"{tuning.best.rate:g}" if tuning.best else "–"
        table.add_row(tuning.method, *averages, best, _note(tuning))
    flags.show(out, table)


def _terms(tuning: Tuning) -> list[str]:
    """What the candidates of a method were scored on, and at what budget."""
    place = f"selection split of {tuning.suite} on {tuning.backbone}"
    if not tuning.tasks:
        return [f"{place}: no cell has a score yet"]
    settings = tuning.settings
    parts = [f"{place}: {', '.join(tuning.splits)}"]
    parts += [f"{tuning.examples} examples", f"{settings.get('epochs')} epochs ({tuning.steps} steps)"]
    parts += [f"seeds {', '.join(map(str, tuning.seeds))}"]
    if settings.get("limit") is not None:
        parts.append(f"limited to {settings['limit']} examples per task and split")
    tasks = f"averages over {', '.join(tuning.tasks)} (CIDEr counts only where a suite has no accuracy)"
    return ["; ".join(parts), tasks]


def _average(tuning: Tuning, place: int) -> str:
    trial = tuning.trials[place]
    if trial.average is None:
        return "–"
    return f"({trial.average.mean:.2f})" if trial is tuning.best else f"{trial.average.mean:.2f}"


def _note(tuning: Tuning) -> str:
    if tuning.unfinished:
        return f"unfinished cells: {tuning.unfinished}"
    if tuning.best is None:
        return "no rate has a score"
    return "the best is at the edge: a better rate may lie outside" if tuning.at_edge else ""


def _store(found: Sequence[Tuning]) -> Path:
    """Bring the methods' file up to date and return its path; entries that the run did not tune stay.

    Raises:
        UserError: a method is not tuned to the end, two suites would share an entry, or the file cannot be written.
    """
    from harness.backbones import registry
    from methods import tuned as data

    content = {name: {kind: dict(rates) for kind, rates in kinds.items()} for name, kinds in data.rates().items()}
    suites: dict[tuple[str, str], str] = {}
    for tuning in found:
        if tuning.unfinished or tuning.best is None:
            raise UserError(f"--write: {tuning.method} on {tuning.backbone}: {_note(tuning)}; nothing was written")
        suite = suites.setdefault((tuning.backbone, tuning.kind), tuning.suite)
        if suite != tuning.suite:
            raise UserError(
                f"--write: {suite} and {tuning.suite} are both {tuning.kind} suites and share their rates; "
                "tune on one of them"
            )
        search = data.Search(
            candidates=tuning.candidates,
            at_edge=tuning.at_edge,
            suite=tuning.suite,
            splits=tuning.splits,
            examples=tuning.examples,
            limit=tuning.settings.get("limit"),
            epochs=tuning.settings["epochs"],
            steps=tuning.steps,
            seeds=tuning.seeds,
            harness_version=tuning.harness_version,
            weights=registry.fingerprint(registry.get(tuning.backbone)),
        )
        kinds = content.setdefault(tuning.backbone, {})
        kinds.setdefault(tuning.kind, {})[tuning.method] = data.TunedRate(learning_rate=tuning.best.rate, search=search)
    path = Path(str(files("methods").joinpath(data.FILE)))
    write_atomically(path, data.dump(content), "free space, or use a copy of the project that you may write")
    return path
