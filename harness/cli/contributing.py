"""``new`` and ``check``: a method of one's own, begun from working files and held against the contract."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterable
from dataclasses import asdict
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.catalogue import Catalogue
from harness.cli import flags
from harness.errors import NothingMatched, UserError
from harness.expand import is_pattern, matching_methods
from harness.plugins import find_methods
from harness.run_folder import make_folder, write_atomically

if TYPE_CHECKING:
    from harness.contract import Outcome

NAME = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
RESERVED = ("backbone", "field", "method", "task_context", "tensor")  # the files' class would hide what they import
FIX = "choose another --output"


def check(
    names: Annotated[list[str], typer.Argument(help="Methods: names or globs, also comma-separated.")],
    slow: Annotated[bool, typer.Option("--slow", help="Compile too, which takes many seconds per method.")] = False,
    plugin: flags.Plugins = None,
    as_json: flags.Json = False,
) -> int:
    """Hold methods against the contract on tiny random backbones; exit with 1 if one breaks a rule."""
    from harness.contract import outcomes

    registry = Catalogue(plugins=flags.resolved(plugin)).methods
    chosen: dict[str, None] = {}
    for pattern in flags.split(",".join(names)):
        hits = matching_methods(pattern, registry) if is_pattern(pattern) else [pattern]
        if not hits:
            raise NothingMatched(f"no method matches {pattern}")
        chosen |= dict.fromkeys(hits)
    methods = [registry.get(name) for name in chosen]
    found: list[Outcome] = []
    out = flags.console(quiet=as_json)
    for method in methods:
        for outcome in outcomes(method, slow):
            found.append(outcome)
            out.print(_line(outcome), soft_wrap=True, markup=False)
    failed = sum(outcome.state == "failed" for outcome in found)
    out.print(f"{len(found)} checks, {failed} failed")
    if as_json:
        typer.echo(json.dumps([asdict(outcome) for outcome in found], indent=1))
    return 1 if failed else 0


def new(
    kind: Annotated[Literal["method"], typer.Argument(help="What to begin.")],
    name: Annotated[str, typer.Argument(help="Its name, such as low-rank-gate.")],
    output: Annotated[Path, typer.Option(help="Folder of the new files.")] = Path(),
) -> None:
    """Write a working method and its test, to be changed into your own."""
    import methods

    module, parts = name.replace("-", "_"), name.split("-")
    wanted = {output / f"{module}.py": "method.txt"}
    among_methods = output.resolve() == Path(str(methods.__file__)).resolve().parent
    if not among_methods:  # there, every file is a method, and the project's own test finds it
        wanted[output / f"test_{module}.py"] = "test.txt"
    _refuse(name, module, wanted)
    words = {"name": name, "module": module, "class": "".join(map(str.capitalize, parts))}
    words["title"] = " ".join(parts).capitalize()
    make_folder(output)
    templates = files("harness.cli").joinpath("templates")
    for path, template in wanted.items():
        write_atomically(path, Template(templates.joinpath(template).read_text("utf-8")).substitute(words), FIX)
        typer.echo(f"wrote {path}")
    given = "" if among_methods else f" --plugin {next(iter(wanted))}"
    typer.echo(f"next: change it, and try it with `python -m harness check {name}{given}`")


def _refuse(name: str, module: str, wanted: Iterable[Path]) -> None:
    """Refuse what would hide something else.

    Raises:
        UserError: the name is malformed or taken, or a file is there already.
    """
    import methods

    if not re.fullmatch(NAME, name):
        raise UserError(f"{name!r}: write the name in lower-case letters and digits, such as low-rank-gate")
    for path in wanted:
        if path.exists():
            raise UserError(f"{path}: is there already; nothing was written; choose another name or --output")
    if taken := find_methods().plugins.get(name):
        raise UserError(f"{name!r}: is a method already ({taken.origin}); choose another name")
    if module in RESERVED or module in methods.__all__ or keyword.iskeyword(module) or find_spec(module):
        raise UserError(f"{name!r}: a file {module}.py would hide another meaning of {module}; choose another name")


def _line(outcome: Outcome) -> str:
    place = " ".join(filter(None, (outcome.method, outcome.family, outcome.check)))
    return f"{outcome.state:7} {place}{': ' if outcome.reason else ''}{outcome.reason}"
