"""``submit``: predictions of a finished cell in the files that the servers of data's owners take."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import flags
from harness.options import read_options
from harness.run_folder import OPTIONS, CellFolder
from harness.store import Progress

LINE_SECONDS = 10.0


def submit(
    folder: Annotated[Path, typer.Argument(help="The folder of a finished cell.")],
    output: Annotated[Path, typer.Option(help="Where the files go.")] = Path("submission"),
    data: flags.Data = None,
    weights: flags.Weights = None,
    device: flags.Device = "auto",
) -> int:
    """Predict the validation and test splits whose answers are hidden, and write them as the owners' server wants."""
    from harness.submission import submit as write

    given = {"data": flags.checked_folder(data, "--data"), "weights": flags.checked_folder(weights, "--weights")}
    changed = {name: value for name, value in given.items() if value is not None}
    options = read_options(folder / OPTIONS).model_copy(update={"device": device, **changed})
    for path in write(CellFolder(folder), options, output, _teller()):
        typer.echo(path)
    return 0


def _teller() -> Progress:
    """Says on standard error how far it is, now and then."""
    last = time.monotonic()

    def tell(what: str, done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            typer.echo(f"{what}: {done:,} of {total:,}", err=True)

    return tell
