"""``features``: the features of a folder of pictures, extracted once for all runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from harness.cli import flags
from harness.errors import UserError
from harness.progress import LINE_SECONDS
from reports.formats import rough_duration

if TYPE_CHECKING:
    from harness.extraction import Extracted

MOST_WORKERS = 16
NAMED = 5  # broken pictures that the last line names; each had a line of its own before


def features(
    encoder: Annotated[str, typer.Option(help="mini-clip, clip-rn101, clip-vit-b32, clip-vit-b16, clip-vit-l14, ...")],
    images: Annotated[Path, typer.Option(help="Folder of pictures; folders below it count.")],
    output: Annotated[
        Path | None,
        typer.Option(help="The feature file. [default: features/ENCODER/NAME.safetensors beside the folder NAME]"),
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Folder with a folder of the encoder's weights.")] = None,
    device: flags.Device = "auto",
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"], typer.Option(help="auto: bfloat16 on CUDA, else float32.")
    ] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures that are encoded at once.")] = 64,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Processes that decode pictures; 0: the main one does. [default: cores less one]"),
    ] = None,
) -> int:
    """Extract frozen features of a folder of pictures; the same command goes on, or brings the file up to date."""
    folder = flags.checked_folder(images, "--images")
    assert folder is not None
    if output is not None and output.is_dir():
        raise UserError(f"--output {output}: is a folder; give the name of a file")
    import torch
    from transformers.utils.logging import disable_progress_bar

    from harness.backbones.vision import load_encoder
    from harness.extraction import Work, default_output, extract
    from harness.workbench import find_device, find_dtype, make_reproducible

    disable_progress_bar()  # of loading weights
    place = find_device(device)
    if workers is None:
        workers = min(MOST_WORKERS, (os.cpu_count() or 1) - 1)
    work = Work(find_dtype(precision, place), batch_size, workers)
    loaded = load_encoder(encoder, flags.checked_folder(weights, "--weights")).to(place)
    make_reproducible(torch.get_num_threads(), place)
    path = output or default_output(folder, encoder)
    start = time.monotonic()
    errors = flags.console(to_stderr=True)
    with _shown(errors) as progress:
        made = extract(loaded, folder, path, work, progress, lambda line: flags.show_lines(errors, f"broken  {line}"))
    typer.echo(_summary(made, path, time.monotonic() - start))
    if not made.index.broken:
        return 0
    named = ", ".join(made.index.broken[:NAMED]) + (", ..." if len(made.index.broken) > NAMED else "")
    flags.show_lines(
        errors,
        f"{len(made.index.broken):,} of {len(made.index.names):,} pictures do not decode and have no features: "
        f"{named}; replace or remove them and give the same command again, which encodes nothing else",
    )
    return 1


def _summary(made: Extracted, path: Path, seconds: float) -> str:
    whole = len(made.index.names) - len(made.index.broken)
    now = f"{made.encoded:,} encoded in {rough_duration(seconds)}" if made.encoded else "nothing to do"
    return f"{path}: {made.index.encoder} features of {whole:,} pictures, {path.stat().st_size / 1e6:,.1f} MB; {now}"


@contextmanager
def _shown(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Show how far it is: a bar on a terminal, elsewhere a line now and then."""
    if console.is_terminal and not console.no_color:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("features", total=None)
            yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)
        return
    start = told = time.monotonic()
    first: int | None = None

    def line(what: str, done: int, total: int) -> None:
        nonlocal told, first
        first = done - 1 if first is None else first
        now = time.monotonic()
        if now - told >= LINE_SECONDS:
            told = now
            rate = (done - first) / (now - start)
            left = rough_duration((total - done) / rate)
            flags.show_lines(console, f"{what}: {done:,} of {total:,}, {rate:.1f} a second, about {left} left")

    yield line
