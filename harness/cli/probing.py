"""``probe``: what the types of the installed peft do on encoder-decoders."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from harness.run_folder import write_atomically


def probe(
    write: Annotated[bool, typer.Option("--write", help="Keep what was found with the methods.")] = False,
) -> int:
    """Try every type of the installed peft on a small BART and a small T5 (minutes; for whoever updates peft)."""
    import peft

    from harness.peft_probe import probe as try_out
    from methods import peft_outcomes
    from methods.peft_types import CLASSES, PREFIX

    found = {}
    for made in CLASSES:
        if made.hindrance:
            typer.echo(f"{made.name}: not tried: {made.hindrance}")
            continue
        outcome = try_out(made)
        found[made.name.removeprefix(PREFIX)] = outcome
        typer.echo(f"{made.name}: {outcome.unusable or outcome.model_dump(exclude={'unusable'})}")
    if write:
        stored = dict(peft_outcomes.stored())
        stored[peft.__version__] = {**stored.get(peft.__version__, {}), **found}
        path = Path(str(files("methods").joinpath(peft_outcomes.FILE)))
        write_atomically(
            path, peft_outcomes.dump(stored), "free space, or use a copy of the project that you may write"
        )
        typer.echo(f"wrote {len(found)} outcomes for peft {peft.__version__} to {path}")
    return 0
