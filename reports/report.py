"""What a report says, before it is written: summary, boards of tables and figures, how to reproduce."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reports.cards import task_cards
from reports.charts import chart_data
from reports.columns import records
from reports.cost import cost_tables
from reports.coverage import coverage, every_cell, reasons, state_counts
from reports.entries import EMBEDDED, Group, groups
from reports.figures import Picture, quality_figure
from reports.formats import literal, moment, plain, present, size
from reports.leaderboard import EMBEDDED_SUITE, leaderboard
from reports.matrix import Matrix, coverage_matrix
from reports.payload import Payload, payload
from reports.published_tables import beside_published
from reports.record import RecordError
from reports.rows import flat
from reports.run import Run
from reports.studies import study_tables
from reports.table import Column, Row, Table, text_cell
from reports.trust import trust_tables

_NAMES = {
    "started_at": "Started",
    "harness_version": "Harness version",
    "memory_bytes": "Memory",
    "cores": "Processor cores",
    "dirty": "Uncommitted changes",
}

GLOSSARY: tuple[tuple[str, str], ...] = (
    (
        "Updated params (%)",
        "100 × trained / (language model + visual embedding + added modules); the image encoder is left out, unless "
        "it trains: then it counts on both sides. "
        "The other denominator, the language model alone, stands in the table of parameters.",
    ),
    ("Trained, stored", "Numbers that receive gradients; numbers that must be saved for one suite of tasks."),
    (
        "Added at inference",
        "Parameters left beside the backbone after everything that can be merged is merged.",
    ),
    ("Frozen extra", "Numbers that a method adds but does not train."),
    ("Reference rows", "Full fine-tuning and projection only frame the others; they are not ranked."),
    (
        "Control",
        "The same training with something taken away: the image, the question, or all that the backbone learnt in "
        "pre-training (random-backbone).",
    ),
    (
        "Floor",
        "What a constant answer, or an answer that looks at the question alone, scores on the same split.",
    ),
    (
        "Study",
        "Cells of the grid that differ in one thing, the setting; they are shown side by side and are not ranked.",
    ),
    ("Suite", "Tasks that are trained together as one multi-task run."),
    ("Exclusive", "Nothing else of the harness ran on the machine while speed and memory were taken."),
    ("n", "Number of seeds that finished; ± is the sample standard deviation over them."),
    (
        "Comparable",
        "All examples of the split were scored, and the metric had enough of them to mean what it says.",
    ),
)


@dataclass(frozen=True)
class Board:
    """Everything about one suite on one backbone."""

    name: str  # anchor
    suite: str
    backbone: str
    leaderboard: Table
    picture: Picture | None
    costs: list[Table]
    published: list[Table]  # ours beside what papers print, then their tables of this suite and backbone


@dataclass(frozen=True)
class Report:
    """The content of a report; every text is plain."""

    name: str  # of the run
    summary: list[tuple[str, str]]  # what ran, when and where
    banner: str | None
    boards: list[Board]
    studies: list[Table]  # of a grid's studies, apart from the leaderboards
    trust: list[Table]  # how far the embedded suite can be trusted; empty where nothing of that was measured
    tasks: Table | None
    overview: list[Table]  # cells by state, and why those that did not finish did not
    matrix: Matrix
    every_cell: Table
    environment: Table | None
    command: str | None
    grid: str | None
    explorable: Payload  # what the page's scripts read

    @property
    def tables(self) -> list[Table]:
        """All tables in reading order."""
        boards = [table for board in self.boards for table in (board.leaderboard, *board.published, *board.costs)]
        others = [*self.overview, *self.trust, self.tasks, self.matrix.table(), self.every_cell, self.environment]
        return boards + self.studies + [table for table in others if table is not None]


def assemble(run: Run) -> Report:
    """Make the report of a run.

    Raises:
        RecordError: the run has no cell yet.
    """
    if run.cells.empty:
        raise RecordError(f"{run.folder}: no cell has been planned or run here yet, so there is nothing to report")
    found = groups(run)
    why = reasons(run)
    boards = [_board(group, run) for group in found]
    charts = [chart_data(group, board.name, board.leaderboard) for group, board in zip(found, boards, strict=True)]
    environment = run.environment or _first_environment(run)
    command = environment.get("command")
    return Report(
        name=plain(run.folder.resolve().name, 120),
        summary=_summary(run, environment),
        banner=_banner(run),
        boards=boards,
        studies=study_tables(run),
        trust=trust_tables(run),
        tasks=task_cards(records(run.scores)) if _scored_suites(run) else None,
        overview=[coverage(run)] + ([why] if why is not None else []),
        matrix=coverage_matrix(run),
        every_cell=every_cell(run),
        environment=_environment(environment),
        command=_command(command),
        grid=run.grid,
        explorable=payload(run, charts),
    )


def _command(command: Any) -> str | None:
    """The command line, quoted for a shell where it was kept as a list."""
    if isinstance(command, list):
        command = shlex.join(map(str, command))
    return plain(command, 4000) if command else None


def _board(group: Group, run: Run) -> Board:
    table = leaderboard(group, run)
    name = table.name.removeprefix("leaderboard-")
    if group.scored_on == "select":
        return Board(name, group.suite, group.backbone, table, None, [], [])
    costs = cost_tables(group)
    return Board(name, group.suite, group.backbone, table, quality_figure(group), costs, beside_published(group))


def _summary(run: Run, environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    counts = state_counts(run)
    finished = [text for text in run.cells["finished_at"] if present(text)]
    times = [str(environment.get("started_at", "")), max(finished, default="")]
    where = [environment.get("device"), environment.get("processor")]
    pairs = [
        ("Cells", ", ".join(f"{number:,} {state}" for state, number in counts.items())),
        ("Time", " to ".join(moment(text) for text in times if text)),
        ("Machine", ", ".join(dict.fromkeys(plain(part) for part in where if part))),
        (
            "Version",
            plain(f"{environment.get('harness_version') or ''} {str(environment.get('commit') or '')[:10]}"),
        ),
    ]
    return [(name, text) for name, text in pairs if text]


def _scored_suites(run: Run) -> set[str]:
    return set(run.scores.loc[run.scores["state"] == "done", "suite"])


def _banner(run: Run) -> str | None:
    suites = _scored_suites(run)
    if not suites:
        return "No cell has finished with a score yet; the coverage table says where each one is."
    return EMBEDDED_SUITE if all(suite.startswith(EMBEDDED) for suite in suites) else None


def _first_environment(run: Run) -> dict[str, Any]:
    """Where the first finished cell ran, for a run folder without ``environment.json``."""
    names = [name for name in run.cells.columns if name.startswith("environment_")]
    for row in run.cells.loc[run.cells["state"] == "done", names].to_dict("records"):
        return {str(name).removeprefix("environment_"): value for name, value in row.items() if present(value)}
    return {}


def _environment(environment: Mapping[str, Any]) -> Table | None:
    rows = []
    for name, value in flat({k: v for k, v in environment.items() if k != "command"}).items():
        title = _NAMES.get(name, name.replace("packages_", "Package: ").replace("_", " "))
        text = size(float(value)) if name == "memory_bytes" and isinstance(value, int | float) else literal(value)
        if present(value) and value != []:
            rows.append(Row((text_cell(plain(title[:1].upper() + title[1:])), text_cell(plain(text)))))
    columns = (Column("What", "left"), Column("Value", "left"))
    return Table("environment", "Environment", columns, tuple(rows)) if rows else None
