"""The data that the page's scripts read: one JSON block, safe inside HTML whatever the texts hold."""

from __future__ import annotations

import json
from typing import Any

from markupsafe import Markup

from reports.details import cell_details
from reports.run import Run

_UNSAFE = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}


def payload(run: Run) -> dict[str, Any]:
    """Everything that can be explored, as plain values."""
    cells, environments = cell_details(run)
    return {"cells": cells, "environments": environments}


def as_json(content: Any) -> Markup:
    """JSON that no HTML parser takes for markup: ``<`` and its like can only stand in strings, and are escaped there.

    Raises:
        ValueError: a number is infinite or not a number.
    """
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.translate(_UNSAFE))
