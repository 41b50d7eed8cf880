"""The data that the page's scripts read: one JSON block, safe inside HTML whatever the texts hold."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from reports.details import cell_details
from reports.run import Run
from reports.viewer import sampled_examples

INLINE_BYTES = 2_000_000  # of pictures inside the page; more of them lie beside it
_UNSAFE = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}


@dataclass(frozen=True)
class Payload:
    """Plain values for the page, and the files beside it that they name."""

    content: dict[str, Any]
    files: dict[str, bytes]  # by path relative to the page


def payload(run: Run, boards: Sequence[dict[str, Any]]) -> Payload:
    """Everything that can be explored; ``boards`` is what `reports.charts` makes of each."""
    cells, environments = cell_details(run)
    examples = sampled_examples(run)
    addresses, files = _pictures(examples.pictures)
    content = {
        "boards": boards,
        "cells": cells,
        "environments": environments,
        **examples.content(),
        "pictures": addresses,
    }
    return Payload(content, files)


def _pictures(pictures: Iterable[bytes]) -> tuple[list[str], dict[str, bytes]]:
    """Address of each picture, and the files that addresses lead to."""
    kept = list(pictures)
    if sum(map(len, kept)) <= INLINE_BYTES:
        return [f"data:image/webp;base64,{base64.b64encode(picture).decode()}" for picture in kept], {}
    addresses = [f"thumbnails/{hashlib.sha256(picture).hexdigest()[:20]}.webp" for picture in kept]
    return addresses, dict(zip(addresses, kept, strict=True))


def as_json(content: Any) -> Markup:
    """JSON that no HTML parser takes for markup: ``<`` and its like can only stand in strings, and are escaped there.

    Raises:
        ValueError: a number is infinite or not a number.
    """
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.translate(_UNSAFE))
