"""The program: its commands, and how every error becomes one line and an exit code.

Exit codes: 0 all good, 1 some cells failed, 2 wrong usage or bad input, 3 nothing matched, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from harness.cli import (
    contributing,
    data,
    extracting,
    listing,
    planning,
    pretraining,
    probing,
    running,
    scoring,
    submitting,
    tuning,
    watching,
)
from harness.errors import Unavailable, UserError
from reports.record import RecordError
from tasks.base import DataError

INTERRUPTED = 130
# click's own class, wherever this version of typer takes click from
UsageError: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="harness",
    help="Benchmark parameter-efficient tuning methods for vision-and-language models.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("run")(running.run)
app.command("plan")(planning.plan)
app.command("status")(watching.status)
app.command("report")(watching.report)
app.command("tuned")(tuning.tuned)
app.command("list")(listing.list_plugins)
app.command("params")(listing.params)
app.command("check")(contributing.check)
app.command("new")(contributing.new)
app.add_typer(data.app, name="data")
app.command("score")(scoring.score)
app.command("features")(extracting.features)
app.command("submit")(submitting.submit)
app.command("pretrain")(pretraining.pretrain)
app.command("probe")(probing.probe)
app.command("cell")(running.cell)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit with its code; a reader that goes away (``| head``) ends it without a word."""
    code = invoke(list(sys.argv[1:] if arguments is None else arguments))
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python's own flush complains
        code = 1  # as rich and typer, where they notice it first
    sys.exit(code)


def invoke(arguments: list[str]) -> int:
    """Run one command; return its exit code, having told any error in one line on standard error."""
    try:
        code = app(arguments or ["--help"], prog_name="python -m harness", standalone_mode=False)
    except (UserError, Unavailable, DataError, RecordError) as error:
        typer.echo(f"error: {error}", err=True)
        return getattr(error, "exit_code", UserError.exit_code)
    except UsageError as error:
        message = error.format_message()  # type: ignore[attr-defined]
        typer.echo(f"error: {message.rstrip('.')}; see --help", err=True)
        return UserError.exit_code
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("interrupted", err=True)
        return INTERRUPTED
    return code if isinstance(code, int) else 0
