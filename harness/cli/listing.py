"""``list`` and ``params``: what there is to run, and what each method trains."""

from __future__ import annotations

import csv
import gc
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from harness.catalogue import Catalogue
from harness.cli import flags
from harness.errors import NothingMatched, UserError, unknown
from harness.expand import is_pattern, matching, matching_methods

if TYPE_CHECKING:
    from harness.backbones.specs import BackboneSpec
    from harness.parameter_table import Part
    from methods.base import Method

Row = dict[str, Any]
Kind = Literal["methods", "tasks", "suites", "backbones", "grids"]


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
        str,
        typer.Option(
            "--suites",
            "--suite",
            help="Of image-text, video-text, glue (mini-image, mini-video): names or globs, comma-separated. "
            "[default: all that the backbone serves]",
        ),
    ] = "",
    plugin: flags.Plugins = None,
    as_json: flags.Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
) -> int:
    """Print what each method trains, stores and adds, beside the papers' figures; no weights are needed.

    The lines below the table say what its columns mean. JSON and CSV have further fields: the parts of the backbone,
    and where a figure is printed.
    """
    catalogue = Catalogue(plugins=flags.resolved(plugin))
    found, known = catalogue.methods, catalogue.backbones
    names = select("method", methods, lambda pattern: matching_methods(pattern, found), found.refusal)
    places = select("backbone", backbones, lambda p: matching(p, known), lambda p: unknown("backbone", p, known))
    parts = _counted([found.get(name) for name in names], [known[name] for name in places], flags.split(suites))
    if as_json or as_csv:  # for programs: whole numbers and fractions as they are, and every field
        refused = [(method, part.backbone, reason) for part in parts for method, reason in part.refused.items()]
        for method, backbone, reason in dict.fromkeys(refused):  # once, not on every suite again
            typer.echo(f"warning: {method} on {backbone} is left out: incompatible: {reason}", err=True)
        rows = [asdict(row) for part in parts for row in part.rows]
        typer.echo(json.dumps(rows, indent=1) if as_json else _csv(rows), nl=as_json)
    elif as_markdown:
        _write_markdown(parts)
    else:
        _print_parts(parts)
    return 0


def _counted(methods: Sequence[type[Method]], specs: Sequence[BackboneSpec], suites: Sequence[str]) -> list[Part]:
    """Count what is asked for: on all suites of the backbones where none is named."""
    from harness.parameter_table import kinds, part, suite_of

    places = [(spec, kind, suite_of(spec, kind)) for spec in specs for kind in kinds(spec)]
    for pattern in suites:
        if not any(matching(pattern, [suite]) for *_, suite in places):
            raise UserError(f"--suites: {unknown('suite', pattern, {suite for *_, suite in places})}")
    wanted = [
        (spec, kind)
        for spec, kind, suite in places
        if not suites or any(matching(pattern, [suite]) for pattern in suites)
    ]
    gc.freeze()  # hundreds of models come and go; looking through all that was imported each time takes a fifth longer
    return [part(methods, spec, kind) for spec, kind in wanted]


def _write_markdown(parts: Sequence[Part]) -> None:
    from harness.parameter_table import layout, legend
    from reports.markdown import escaped, write_table

    for part in parts:
        typer.echo(write_table(layout(part)))
    for line in legend(parts):
        typer.echo(f"- {escaped(line)}")


def _print_parts(parts: Sequence[Part]) -> None:
    from harness.parameter_table import layout, legend

    out = flags.console()
    for part in parts:
        laid_out = layout(part)
        flags.show_lines(out, laid_out.title)
        table = _bare_table()
        for column in laid_out.columns:
            table.add_column(column.title, justify=column.align, no_wrap=True)
        for row in laid_out.rows:
            table.add_row(*(cell.text + cell.symbols for cell in row.cells))
        flags.show(out, table)
        flags.show_lines(out, *laid_out.notes, "")
    flags.show_lines(out, *legend(parts))


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


def select(kind: str, text: str, matches: Callable[[str], list[str]], refusal: Callable[[str], str]) -> list[str]:
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
    table = _bare_table(title)
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


def _bare_table(title: str | None = None) -> Table:
    return Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="bold")
