"""``bench``: what a training step of each method costs beside full fine-tuning."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Literal

import typer

from harness.catalogue import Catalogue
from harness.cli import flags
from harness.cli.listing import select
from harness.expand import matching_methods


def bench(
    methods: flags.Methods = "usual",
    backbone: Annotated[str, typer.Option(help="The backbone; its weights are not needed.")] = "bart-base",
    suite: Annotated[
        Literal["image-text", "video-text"], typer.Option(help="Images of 36 or clips of 64 visual tokens.")
    ] = "image-text",
    batch_size: Annotated[int, typer.Option(min=1, help="Examples in a step.")] = 16,
    repeats: Annotated[int, typer.Option(min=1, help="Pairs of steps: of full fine-tuning and of the method.")] = 3,
    layers: Annotated[int | None, typer.Option(min=1, help="Of each stack, for a shorter measurement.")] = None,
    device: flags.Device = "auto",
    threads: Annotated[int, typer.Option(min=1, help="Of torch, on a CPU.")] = 1,
    plugin: flags.Plugins = None,
    as_json: flags.Json = False,
) -> int:
    """Print time and memory of a training step of each method as ratios to full fine-tuning, as a Markdown table.

    Weights and batch are random. The steps of a method and of full fine-tuning take turns. Each method takes a few
    steps, so the base models take minutes a method on a slow core.
    """
    found = Catalogue(plugins=flags.resolved(plugin)).methods
    names = select("method", methods, lambda pattern: matching_methods(pattern, found), found.refusal)
    from harness.backbones import get
    from harness.step_cost import FROZEN, FULL, Shape, StepCosts, table
    from harness.workbench import find_device
    from reports.markdown import write_table

    costs = StepCosts(get(backbone), suite, Shape(batch_size, repeats, layers), find_device(device), threads)
    wanted = [found.get(method) for method in dict.fromkeys((FULL, FROZEN, *names))]
    done = []
    for cost in costs.measure(wanted, lambda sentence: typer.echo(f"warning: {sentence}", err=True)):
        done.append(cost)
        typer.echo(f"{cost.method}: {cost.time_to_full:.2f} times full fine-tuning", err=True)
    if as_json:
        typer.echo(json.dumps([asdict(cost) for cost in done], indent=1))
        return 0
    stacks = f", layers a stack: {layers}" if layers else ""
    typer.echo(write_table(table(done, f"Training step on {backbone}, batch of {batch_size}{stacks}")), nl=False)
    return 0
