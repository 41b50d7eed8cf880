"""The marks of tables and what they mean. Bold is best, underlined second."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reports.table import Row

CHOSEN = "†"
UNCOMPARABLE = "∗"
NOT_BETTER = "‡"
AT_FLOOR = "§"
LEVEL = "≈"
RE_RUN = "∘"
COPIED = "¶"
SECONDARY = "‖"

LEGEND = {
    CHOSEN: "The checkpoint was chosen as the best on the split that is reported.",
    UNCOMPARABLE: "Does not compare with published numbers.",
    NOT_BETTER: "Does not beat training the visual projection alone.",
    AT_FLOOR: "Not above the highest floor of its task.",
    LEVEL: "Level with the best ranked row of its column: not separated from it at 5 %.",
    RE_RUN: "Re-run here.",
    COPIED: "Copied from the paper.",
    SECONDARY: "Read in others' summaries of the paper, not in the paper: a secondary source.",
}


def legend(rows: Iterable[Row], meanings: Mapping[str, str] | None = None) -> list[str]:
    """One note per mark that the rows hold; ``meanings`` by mark come before the general ones, where they say more."""
    used = {symbol for row in rows for cell in row.cells for symbol in cell.symbols}
    return [f"{symbol} {text}" for symbol, text in (LEGEND | dict(meanings or {})).items() if symbol in used]
