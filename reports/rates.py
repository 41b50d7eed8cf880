"""Learning rates on a leaderboard: each row's peak rate, and how it was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.entries import Entry
from reports.formats import plain, present
from reports.table import Column, TableCell

COLUMN = Column("Learning rate", tooltip="peak of the schedule")
_EARLIER = ", earlier"
_SOURCES = {
    "by hand": ("picked by hand", "'picked by hand': not tuned, chosen without a search"),
    "default": ("own default", "'own default': not tuned, the default of the method"),
    "set": ("as set", "'as set': by the grid or the command line"),
}


def rate_cell(entry: Entry) -> TableCell:
    """The learning rate of a row, with its origin below it."""
    rate = entry.learning_rate
    if rate is None:
        return TableCell()
    cell = _recorded(entry)
    if cell is None:
        return TableCell(f"{rate:g}", rate)
    if cell["rate_source"] != "tuned":
        return TableCell(f"{rate:g}", rate, detail=_SOURCES.get(cell["rate_source"], ("", ""))[0])
    tooltip = f"tuned on the selection split of {_place(cell)}"
    detail = f"best of {cell['rate_candidates']}{_EARLIER if _is_earlier(cell) else ''}"
    return TableCell(f"{rate:g}", rate, detail=detail, tooltip=tooltip)


def rate_note(entries: Sequence[Entry]) -> str | None:
    """What the origins under the rates mean; None where none is known."""
    cells = [cell for entry in entries if (cell := _recorded(entry)) is not None]
    texts = []
    if places := sorted({_place(cell) for cell in cells if cell["rate_source"] == "tuned"}):
        texts.append(
            f"'best of n': the best of n candidates on the selection split of {' and '.join(places)}, "
            "each with the same budget"
        )
    if any(_is_earlier(cell) for cell in cells):
        texts.append("'earlier': the backbone was pre-trained anew since that search")
    sources = {cell["rate_source"] for cell in cells}
    texts += [meaning for source, (_, meaning) in _SOURCES.items() if source in sources]
    return f"Learning rate: {'; '.join(texts)}." if texts else None


def _is_earlier(cell: Mapping[str, Any]) -> bool:
    return present(cell["rate_other_weights"]) and bool(cell["rate_other_weights"])


def _place(cell: Mapping[str, Any]) -> str:
    """Where the candidates were tried: the suite and, where that was recorded, the backbone."""
    backbone = f" on {plain(cell['rate_backbone'])}" if present(cell["rate_backbone"]) else ""
    return plain(cell["rate_suite"]) + backbone


def _recorded(entry: Entry) -> dict[str, Any] | None:
    """The first finished cell that says where its rate comes from."""
    return next((cell for cell in entry.done if present(cell["rate_source"])), None)
