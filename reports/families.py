"""Which methods belong together, by their names, as patterns that the command line understands."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable


def families(methods: Iterable[str]) -> dict[str, str]:
    """Method → family: ``lora-*`` where several names begin alike, ``peft/*`` for a folder, else its own name."""
    alike: dict[str, list[str]] = defaultdict(list)
    for method in dict.fromkeys(methods):
        alike[re.split(r"[-/]", method, maxsplit=1)[0]].append(method)
    found: dict[str, str] = {}
    for stem, members in alike.items():
        folder = all(method.startswith(f"{stem}/") for method in members)
        name = f"{stem}/*" if folder else f"{stem}*" if len(members) > 1 else members[0]
        found |= dict.fromkeys(members, name)
    return found
