"""``score``: prediction files in the owners' formats, scored as the owners' evaluators do, without any model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from harness.cli import flags
from harness.errors import UserError, unknown
from harness.run_folder import write_atomically

if TYPE_CHECKING:
    from tasks.official.formats import Format, Scores


def score(
    task: Annotated[str, typer.Argument(help="vqav2, gqa, nlvr2, coco-caption, tvqa, tvc, glue/cola, ...")],
    references: Annotated[Path, typer.Option(help="The official annotation file.")],
    predictions: Annotated[Path, typer.Option(help="Predictions in the official format.")],
    questions: Annotated[Path | None, typer.Option(help="Score these questions only (vqav2, ok-vqa, gqa).")] = None,
    per_example: Annotated[Path | None, typer.Option(help="Write the scores of every example to this file.")] = None,
    ptb: Annotated[
        Literal["python", "java"], typer.Option(help="Tokeniser of captions: this project's, or the original.")
    ] = "python",
    as_json: flags.Json = False,
) -> int:
    """Score a prediction file as the task's official evaluator does; METEOR needs Java."""
    from tasks.metrics.java import JavaError
    from tasks.official.catalogue import FORMATS

    if task not in FORMATS:
        raise UserError(unknown("task with an official format", task, FORMATS))
    form = _with_tokeniser(task, FORMATS[task], ptb)
    if questions is not None and form.questions is None:
        raise UserError(f"--questions: {task} has its questions in the reference file; leave the option out")
    examples, said, left_out = form.read(references, predictions, questions)
    if left_out:
        typer.echo(
            f"note: {left_out} of {len(examples) + left_out} references have no prediction: not scored", err=True
        )
    try:
        scores = form.scorer(examples, said)
    except JavaError as error:
        raise UserError(f"--ptb java: {error}; install Java or use --ptb python") from error
    if per_example is not None:
        _write(per_example, task, [example.id for example in examples], scores)
    if as_json:
        typer.echo(json.dumps({"task": task, "n": len(examples), "metrics": scores.metrics}, indent=1))
    else:
        _show(f"{task}: {len(examples)} examples", scores)
    return 0


def _with_tokeniser(task: str, form: Format, ptb: str) -> Format:
    from tasks.metrics.java import java_tokenised
    from tasks.official.captions import CaptionScorer

    if ptb == "python":
        return form
    if not isinstance(form.scorer, CaptionScorer):
        raise UserError(f"--ptb java: {task} has no captions; leave the option out")
    return replace(form, scorer=replace(form.scorer, tokenise=java_tokenised))


def _write(path: Path, task: str, names: list[str], scores: Scores) -> None:
    """One object: id -> metric -> raw fraction."""
    if not scores.per_example:
        raise UserError(f"--per-example: {task} is scored over all examples together; leave the option out")
    rows = zip(*scores.per_example.values(), strict=True)
    found = {name: dict(zip(scores.per_example, row, strict=True)) for name, row in zip(names, rows, strict=True)}
    write_atomically(path, json.dumps(found, indent=1) + "\n", "give another path to --per-example")


def _show(title: str, scores: Scores) -> None:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("metric")
    table.add_column("× 100", justify="right")
    for name, value in scores.metrics.items():
        table.add_row(name, "needs Java" if value is None else f"{100 * value:.2f}")
    flags.show(flags.console(), table)
