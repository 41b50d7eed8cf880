"""The command that makes the embedded backbones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.errors import UserError


def pretrain(
    output: Annotated[
        Path | None, typer.Option(help="Folder for the weights. [default: the project's embedded backbones]")
    ] = None,
    work: Annotated[Path, typer.Option(help="Folder of checkpoints; the same command continues from them.")] = Path(
        "runs/pretraining"
    ),
    english: Annotated[
        list[Path] | None,
        typer.Option(help="Learn English, and the tokenizer anew, from this JSON file of questions or captions."),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    seed: Annotated[int, typer.Option(min=0, help="Of initialisation and of every draw.")] = 0,
    precision: Annotated[
        Literal["float32", "bfloat16"],
        typer.Option(help="Of matrix products; bfloat16 is twice as fast where the processor computes in it."),
    ] = "float32",
    threads: Annotated[int, typer.Option(min=1, help="Threads on the CPU.")] = 1,
    steps_share: Annotated[
        float, typer.Option(min=0.0, help="Share of every stage's steps, to try the command out; needs --output.")
    ] = 1.0,
) -> None:
    """Pre-train tokenizer, image encoder and language model on the generated world (resumable)."""
    if steps_share != 1.0 and output is None:
        raise UserError("--steps-share is for trying out: give --output, so that the shipped weights stay")
    import torch

    from harness.backbones.vision import EMBEDDED
    from harness.pretraining.run import pretrain as run
    from harness.workbench import find_device

    torch.set_num_threads(threads)
    run(
        output or EMBEDDED,
        work,
        english or (),
        str(find_device(device)),
        seed,
        precision,
        steps_share,
        report=lambda line: typer.echo(line),
    )
