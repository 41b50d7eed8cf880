"""The report as Markdown: the same tables, for a terminal, a pull request or a readme."""

from __future__ import annotations

import re
from collections.abc import Iterable

from reports.report import GLOSSARY, Board, Report
from reports.studies import TITLE as STUDIES
from reports.table import Column, Row, Table, TableCell
from reports.trust import TITLE as TRUST

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~$#&])")


def escaped(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no HTML, no end of a table's cell."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def write_table(table: Table) -> str:
    """A table with pipes, its title as a heading and its notes below."""
    lines = [f"### {escaped(table.title)}", ""]
    lines.append(_line(escaped(column.title) for column in table.columns))
    lines.append(_line("---:" if column.align == "right" else ":---" for column in table.columns))
    for heading, rows in table.sections:
        if heading:
            lines.append(_line([f"*{escaped(heading)}*", *[""] * (len(table.columns) - 1)]))
        lines += [_row(row, table.columns) for row in rows]
    lines += ["", *(f"- {escaped(note)}" for note in table.notes), ""]
    return "\n".join(lines)


def write_markdown(report: Report) -> str:
    """The whole report, ending with a line end."""
    parts = [f"# {escaped(report.name)}\n"]
    parts.append("\n".join(f"- {name}: {escaped(text)}" for name, text in report.summary) + "\n")
    if report.banner:
        parts.append(f"> {escaped(report.banner)}\n")
    if report.boards:
        parts.append("## Leaderboards\n")
        parts += [part for board in report.boards for part in (_board(board), *map(write_table, board.published))]
    if report.studies:
        parts.append(f"## {STUDIES}\n")
        parts += [write_table(table) for table in report.studies]
    if report.trust:
        parts.append(f"## {TRUST}\n")
        parts += [write_table(table) for table in report.trust]
    if costs := [table for board in report.boards for table in board.costs]:
        parts.append("## Cost\n")
        parts += [write_table(table) for table in costs]
    parts.append("## Coverage\n")
    parts += [write_table(table) for table in (*report.overview, report.matrix.table())]
    rest = [table for table in (report.tasks, report.environment) if table is not None]
    parts.append("## Tasks and environment\n")
    parts += [write_table(table) for table in rest]
    parts.append("## How to reproduce\n")
    parts += [_fenced(text) for text in (report.command, report.grid) if text]
    parts.append("## Terms\n")
    parts.append("\n".join(f"- **{term}**: {escaped(text)}" for term, text in GLOSSARY) + "\n")
    return "\n".join(parts)


def _board(board: Board) -> str:
    text = write_table(board.leaderboard)
    if board.picture is not None:
        picture = board.picture
        text += f"\n![{escaped(picture.title)}](figures/{picture.name}.svg)\n\n{escaped(picture.caption)}\n"
    return text


def _row(row: Row, columns: tuple[Column, ...]) -> str:
    return _line(_cell(cell, column) for cell, column in zip(row.cells, columns, strict=True))


def _cell(cell: TableCell, column: Column) -> str:
    mean, deviation = cell.mean_and_deviation if column.align == "right" else (cell.text, "")
    text = escaped(mean)
    if cell.mark == "best":
        text = f"**{text}**"
    elif cell.mark == "second":
        text = f"<u>{text}</u>"
    below = f"<sub>±{escaped(deviation)}</sub>" if deviation else ""
    detail = f" ({escaped(cell.detail)})" if cell.detail else ""
    return f"{text}{below}{cell.symbols}{detail}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _fenced(text: str) -> str:
    # The fence is longer than any run of backticks inside.
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text.rstrip()}\n{fence}\n"
