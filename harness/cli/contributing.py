"""``new`` and ``check``: a method or task of one's own, begun from working files and held against the contract."""

from __future__ import annotations

import ast
import json
import keyword
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.catalogue import Catalogue
from harness.cli import flags
from harness.cli.sample_data import sample_data
from harness.errors import NothingMatched, UserError
from harness.expand import is_pattern, matching, matching_methods
from harness.plugins import find_methods, find_tasks
from harness.run_folder import make_folder, write_atomically

if TYPE_CHECKING:
    from harness.contract import Outcome

NAME = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
FIX = "choose another --output"


def check(
    names: Annotated[list[str], typer.Argument(help="Methods or tasks: names or globs, also comma-separated.")],
    slow: Annotated[bool, typer.Option("--slow", help="Compile too, which takes many seconds per method.")] = False,
    data: flags.Data = None,
    plugin: flags.Plugins = None,
    as_json: flags.Json = False,
) -> int:
    """Hold methods (on tiny random backbones) and tasks against their contracts; exit with 1 if one breaks a rule."""
    from harness.contract import outcomes, task_outcomes

    catalogue = Catalogue(flags.checked_folder(data, "--data"), plugins=flags.resolved(plugin))
    known = catalogue.methods | catalogue.tasks
    chosen: dict[str, None] = {}
    for pattern in flags.split(",".join(names)):
        hits = [pattern]
        if is_pattern(pattern):
            hits = matching_methods(pattern, catalogue.methods) + matching(pattern, catalogue.tasks.names())
        if not hits:
            raise NothingMatched(f"no method or task matches {pattern}")
        chosen |= dict.fromkeys(hits)
    for name in chosen:
        known.get(name)  # refuses before the first check
    found = (
        outcome
        for name in chosen
        for outcome in (
            task_outcomes(catalogue.task(name))
            if name in catalogue.tasks.plugins
            else outcomes(catalogue.methods.get(name), slow)
        )
    )
    return tell(found, as_json)


def tell(outcomes: Iterable[Outcome], as_json: bool) -> int:
    """Print outcomes as they come; return the exit code."""
    found: list[Outcome] = []
    out = flags.console(quiet=as_json)
    for outcome in outcomes:
        found.append(outcome)
        out.print(_line(outcome), soft_wrap=True, markup=False)
    states = Counter(outcome.state for outcome in found)
    skipped = f", {states['skipped']} skipped" if states["skipped"] else ""
    out.print(f"{len(found) - states['skipped']} checks, {states['failed']} failed{skipped}")
    if as_json:
        typer.echo(json.dumps([asdict(outcome) for outcome in found], indent=1))
    return 1 if states["failed"] else 0


def new(
    kind: Annotated[Literal["method", "task"], typer.Argument(help="What to begin.")],
    name: Annotated[str, typer.Argument(help="Its name, such as low-rank-gate.")],
    output: Annotated[Path, typer.Option(help="Folder of the new files.")] = Path(),
) -> None:
    """Write a working method or task and its test, to be changed into yours; with a task, example data and a grid."""
    module, parts = name.replace("-", "_"), name.split("-")
    words = {"name": name, "module": module, "class": "".join(map(str.capitalize, parts))}
    words["title"] = " ".join(parts).capitalize()
    package = Path(str(import_module(f"{kind}s").__file__)).resolve().parent
    plugin, begun_in_package = output / f"{module}.py", output.resolve() == package
    content = {plugin: _filled(f"{kind}.txt", words)}
    if not begun_in_package:  # there, every file is a method or a task, and the project's own tests find it
        content[output / f"test_{module}.py"] = _filled(f"{kind}_test.txt", words)
    sample = None
    if kind == "task" and not begun_in_package:
        content[output / f"{module}.yaml"] = _filled("task_grid.txt", words)
        sample = output / name
    _refuse(kind, words, content[plugin], [*content, *filter(None, [sample])])
    make_folder(output)
    if sample:
        for path, picture_or_list in sample_data(sample):
            make_folder(path.parent)
            write_atomically(path, picture_or_list, FIX)
        typer.echo(f"wrote {sample}: example data, to be replaced by yours")
    for path, text in content.items():
        write_atomically(path, text, FIX)
        typer.echo(f"wrote {path}")
    given = "" if begun_in_package else f" --plugin {plugin}" + (f" --data {output}" if sample else "")
    typer.echo(f"next: change it, and try it with `python -m harness check {name}{given}`")


def _filled(template: str, words: dict[str, str]) -> str:
    return Template(files("harness.cli").joinpath("templates", template).read_text("utf-8")).substitute(words)


def _refuse(kind: str, words: dict[str, str], text: str, wanted: Iterable[Path]) -> None:
    """Refuse what would hide something else.

    Raises:
        UserError: the name is malformed or taken, or a file is there already.
    """
    name, module = words["name"], words["module"]
    if not re.fullmatch(NAME, name):
        raise UserError(f"{name!r}: write the name in lower-case letters and digits, such as low-rank-gate")
    for path in wanted:
        if path.exists():
            raise UserError(f"{path}: is there already; nothing was written; choose another name or --output")
    registry = find_methods() if kind == "method" else find_tasks()
    if taken := registry.plugins.get(name):
        raise UserError(f"{name!r}: is a {kind} already ({taken.origin}); choose another name")
    hidden = words["class"] in _imported(text) or module in import_module(f"{kind}s").__all__
    if hidden or keyword.iskeyword(module) or find_spec(module):
        raise UserError(f"{name!r}: a file {module}.py would hide another meaning of {module}; choose another name")


def _imported(text: str) -> Iterator[str]:
    """Names that a file imports."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.name for alias in node.names)


def _line(outcome: Outcome) -> str:
    place = " ".join(filter(None, (outcome.name, outcome.place, outcome.check)))
    return f"{outcome.state:7} {place}{': ' if outcome.reason else ''}{outcome.reason}"
