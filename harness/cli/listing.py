"""``list`` and ``params``: what there is to run, and what each method trains."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from harness.catalogue import Catalogue
from harness.cli import flags
from harness.errors import NothingMatched, UserError, unknown
from harness.expand import is_pattern, matching, matching_methods

if TYPE_CHECKING:
    from harness.backbones.specs import BackboneSpec
    from methods.base import Method

Row = dict[str, Any]
Kind = Literal["methods", "tasks", "suites", "backbones", "grids"]
COUNTED = (  # fields of `params --json`, in their order
    *("method", "backbone", "suite", "trained", "stored", "added_at_inference", "frozen_extra", "total"),
    *("updated_percent", "published_percent"),
)


def list_plugins(
    kind: Annotated[Kind | None, typer.Argument(help="One kind; all without it.")] = None,
    data: flags.Data = None,
    weights: flags.Weights = None,
    plugin: flags.Plugins = None,
    as_json: flags.Json = False,
) -> int:
    """List what there is; broken plugins with their reason, absent data with what is missing."""
    catalogue = Catalogue(
        flags.checked_folder(data, "--data"),
        flags.checked_folder(weights, "--weights"),
        flags.resolved(plugin),
    )
    rows = {name: LISTINGS[name](catalogue) for name in ([kind] if kind else LISTINGS)}
    if as_json:
        typer.echo(json.dumps(rows[kind] if kind else rows, indent=1))
        return 0
    for name, listed in rows.items():
        _show(listed, title=None if kind else name)
    return 0


def params(
    methods: flags.Methods = "all",
    backbones: Annotated[
        str, typer.Option("--backbones", "--backbone", help="Backbones: names or globs, comma-separated.")
    ] = "bart-base,t5-base",
    suites: Annotated[
        str, typer.Option("--suites", "--suite", help="Suites of the table: names or globs, comma-separated.")
    ] = "",
    plugin: flags.Plugins = None,
    as_json: flags.Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
) -> int:
    """Print parameter counts and updated parameters (%) of each method, as the papers define them."""
    catalogue = Catalogue(plugins=flags.resolved(plugin))
    found, known = catalogue.methods, catalogue.backbones
    names = _select("method", methods, lambda pattern: matching_methods(pattern, found), found.refusal)
    places = _select("backbone", backbones, lambda p: matching(p, known), lambda p: unknown("backbone", p, known))
    specs = [known[name] for name in places]
    rows = _counted([found.get(name) for name in names], specs)
    wanted = flags.split(suites)
    for pattern in wanted:
        if not any(matching(pattern, [row["suite"]]) for row in rows):
            raise UserError(f"--suites: {unknown('suite', pattern, {row['suite'] for row in rows})}")
    rows = [row for row in rows if not wanted or any(matching(p, [row["suite"]]) for p in wanted)]
    if as_json or as_csv:  # for programs: the documented fields, all of them filled
        counted = [row for row in rows if "note" not in row]
        for row in rows:
            if "note" in row:
                typer.echo(f"warning: {row['method']} on {row['backbone']} is left out: {row['note']}", err=True)
        typer.echo(json.dumps(counted, indent=1) if as_json else _csv(counted), nl=as_json)
        return 0
    if any("note" in row for row in rows):
        rows = [row | {"note": row.get("note")} for row in rows]
    readable = [_readable(row) for row in rows]
    if as_markdown:
        typer.echo(_markdown(readable))
    else:
        _show(readable)
    return 0


def _counted(methods: Sequence[type[Method]], specs: Sequence[BackboneSpec]) -> list[Row]:
    """The table of counts; where a method cannot serve a backbone, its row has a note in place of numbers."""
    from harness.parameters import suite_of, table

    rows: list[Row] = []
    for spec in specs:
        for kind in spec.feature_widths:
            for method in methods:
                try:
                    rows += table([method], [spec], [kind])
                except ValueError as error:
                    names = {"method": method.name, "backbone": spec.name, "suite": suite_of(spec, kind)}
                    reason = " ".join(str(error).split())
                    rows.append(dict.fromkeys(COUNTED) | names | {"note": f"incompatible: {reason}"})
    return rows


def _methods(catalogue: Catalogue) -> list[Row]:
    rows = []
    for plugin in catalogue.methods.listing():
        row: Row = {"name": plugin.name, "title": None, "paper": None, "origin": plugin.origin}
        if plugin.value is not None:
            paper = plugin.value.paper
            row |= {"title": plugin.value.title, "paper": f"{paper.title} ({paper.year})" if paper else None}
        rows.append(row | {"error": plugin.error})
    return rows


def _tasks(catalogue: Catalogue) -> list[Row]:
    rows = []
    for plugin in catalogue.tasks.listing():
        row: Row = {"name": plugin.name, "title": None, "metric": None, "missing": None, "origin": plugin.origin}
        if plugin.value is not None:
            task = catalogue.task(plugin.name)
            row |= {"title": task.card.title, "metric": task.card.metric.title, "missing": task.missing()}
        rows.append(row | {"error": plugin.error})
    return rows


def _suites(catalogue: Catalogue) -> list[Row]:
    return [
        {"name": suite.name, "title": suite.title, "kind": suite.kind, "tasks": list(suite.tasks)}
        for suite in catalogue.suites.values()
    ]


def _backbones(catalogue: Catalogue) -> list[Row]:
    from harness.backbones.registry import missing

    return [
        {
            "name": spec.name,
            "title": spec.title,
            "family": spec.family,
            "missing": missing(spec, catalogue.weights),
        }
        for spec in catalogue.backbones.values()
    ]


def _grids(catalogue: Catalogue) -> list[Row]:
    from harness.grid import built_in, load_grid

    return [{"name": name, "description": load_grid(name).grid.description} for name in built_in()]


LISTINGS: Mapping[str, Callable[[Catalogue], list[Row]]] = {
    "methods": _methods,
    "tasks": _tasks,
    "suites": _suites,
    "backbones": _backbones,
    "grids": _grids,
}


def _select(kind: str, text: str, matches: Callable[[str], list[str]], refusal: Callable[[str], str]) -> list[str]:
    """Names that a comma list of names and globs stands for."""
    chosen: dict[str, None] = {}
    for pattern in flags.split(text):
        hits = matches(pattern)
        if not hits and is_pattern(pattern):
            raise NothingMatched(f"--{kind}s {pattern}: matches nothing")
        if not hits:
            raise UserError(f"--{kind}s: {refusal(pattern)}")
        chosen |= dict.fromkeys(hits)
    return list(chosen)


def _readable(row: Row) -> Row:
    """Numbers as people read them."""
    return {name: _text(value) for name, value in row.items()}


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _show(rows: Sequence[Row], title: str | None = None) -> None:
    """Print rows as a table, without the columns that are empty in all of them."""
    columns = [name for name in (rows[0] if rows else ()) if any(row[name] is not None for row in rows)]
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in columns:
        number = all(str(row[name]).replace(",", "").replace(".", "").isdigit() for row in rows)
        table.add_column(name.replace("_", " "), justify="right" if number else "left")
    for row in rows:
        table.add_row(*(_text(row[name]) for name in columns))
    flags.show(flags.console(), table)


def _csv(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _markdown(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
