"""A few pictures and questions in the layout of a new task, so that it works from the first moment."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

COLOURS = ("red", "green", "blue")
COUNTS = {"train": 12, "select": 6, "report": 6}
SIDE = 32  # pixels


def sample_data(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield files with their content: a list of questions for each role, and the photos that they are about."""
    for role, count in COUNTS.items():
        lines = []
        for number in range(count):
            colour, photo = COLOURS[number % len(COLOURS)], f"{role}-{number}.png"
            encoded = io.BytesIO()
            Image.new("RGB", (SIDE, SIDE), colour).save(encoded, "PNG")
            yield folder / "photos" / photo, encoded.getvalue()
            line = {"id": f"{role}-{number}", "question": "What colour is it?", "answer": colour, "photo": photo}
            lines.append(json.dumps(line))
        yield folder / f"{role}.jsonl", "".join(f"{line}\n" for line in lines).encode()
