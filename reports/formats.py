"""How numbers, sizes and names are written for people. Everything returns plain text, never markup."""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from typing import Any

from reports.statistics import Summary

HOLE = "–"  # a value that was not measured

_WHITE = re.compile(r"\s+")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB")


def plain(text: Any, limit: int = 400) -> str:
    """One line of harmless text: no control or direction-override characters, and a bounded length."""
    joined = _WHITE.sub(" ", str(text))
    easy = joined.isascii() and joined.isprintable()
    kept = (joined if easy else "".join(letter for letter in joined if not _harmful(letter))).strip()
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def _harmful(letter: str) -> bool:
    # Cc: controls, Cs: lone surrogates, Cn: unassigned; the ranges are bidirectional overrides and isolates.
    return (
        unicodedata.category(letter) in {"Cc", "Cs", "Cn"}
        or "\u202a" <= letter <= "\u202e"
        or ("\u2066" <= letter <= "\u2069")
    )


def present(value: Any) -> bool:
    """Whether a value of a data frame is there: not None, not NaN, not pandas' NA."""
    import pandas as pd  # here, so that whoever only writes a duration does not wait for it

    return not (pd.api.types.is_scalar(value) and pd.isna(value))


def decimal(value: float | None, digits: int = 2) -> str:
    """Fixed-point number, or the hole."""
    if value is None or math.isnan(value):
        return HOLE
    return f"{value:.{digits}f}".replace("-", "−")


def signed(value: float, digits: int = 2) -> str:
    """A difference with its sign: +0.52, −1.30."""
    return decimal(value, digits) if value < 0 else f"+{decimal(value, digits)}"


def p_value(p: float) -> str:
    """``p = 0.03``, or ``p < 0.001``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def significant(value: float | None, digits: int = 3) -> str:
    """Number with so many significant digits and no exponent: 0.0123, 4.57, 1,234."""
    if value is None or math.isnan(value):
        return HOLE
    if value == 0 or math.isinf(value):
        return "0" if value == 0 else "∞"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(places, 9)}f}"


def count(value: float | None) -> str:
    """Whole number with separators of thousands."""
    return HOLE if value is None or math.isnan(value) else f"{round(value):,}"


def spread(summary: Summary | None, digits: int = 2) -> str:
    """``mean ± standard deviation``, or the mean alone with one value."""
    if summary is None:
        return HOLE
    mean = decimal(summary.mean, digits)
    return mean if summary.std is None else f"{mean} ± {decimal(summary.std, digits)}"


def size(value: float | None) -> str:
    """Bytes with a binary unit: 3.2 MiB."""
    if value is None or math.isnan(value):
        return HOLE
    step = 0
    while abs(value) >= 1024 and step < len(_BINARY) - 1:
        value, step = value / 1024, step + 1
    return f"{value:.0f} B" if step == 0 else f"{significant(value)} {_BINARY[step]}"


def duration(seconds: float | None) -> str:
    """Wall time that was measured: 840 ms, 12.3 s, 4 min 05 s, 2 h 10 min."""
    if seconds is None or math.isnan(seconds):
        return HOLE
    if seconds < 1:
        return f"{significant(seconds * 1000)} ms"
    if seconds < 60:
        return f"{significant(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else _hours(minutes)


def rough_duration(seconds: float) -> str:
    """Wall time that goes by or is estimated: 12 s, 3 min, 1 h 05 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else _hours(minutes)


def _hours(minutes: int) -> str:
    return f"{minutes // 60} h {minutes % 60:02d} min"


def moment(text: str) -> str:
    """A UTC time in ISO 8601 for people: ``2026-01-02 03:04 UTC``; any other text as it is."""
    found = re.match(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)[\d:.]*(Z|\+00:?00)?$", text)
    return f"{found[1]} {found[2]} UTC" if found else plain(text)


def literal(value: Any) -> str:
    """A configuration value as in a grid file: text without quotes, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def slug(text: str) -> str:
    """A name that is safe in a file name and in an anchor: letters, digits and hyphens.

    A digest keeps names apart that hold other letters or are very long.
    """
    short = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if re.fullmatch(r"[a-z0-9._/-]{1,60}", text) and short:
        return short
    return f"{short[:50]}-{hashlib.sha256(text.encode()).hexdigest()[:6]}".strip("-")
