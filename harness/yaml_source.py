"""Text in YAML that people wrote: its content, and the line of every place in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import yaml

from harness.errors import UserError

Place = Sequence[int | str]
"""Keys and positions that lead from the top to a value: ("blocks", 0, "seeds")."""


class YamlSource:
    """A text in YAML.

    Raises:
        UserError: the text is not YAML, is empty, or gives a key of one mapping twice; with the lines.
    """

    def __init__(self, origin: str, text: str) -> None:
        """``origin`` names the file in messages."""
        self.origin = origin
        try:
            tree = yaml.compose(text, Loader=yaml.SafeLoader)
            self.content: Any = yaml.safe_load(text)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            raise UserError(f"{origin}:{line}: is not YAML: {error.problem or error.context}") from error
        except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that does not exist
            raise UserError(f"{origin}: is not YAML: {error}") from error
        if tree is None:
            raise UserError(f"{origin}:1: is empty")
        self._tree = tree
        doubles = list(_doubles(tree, set()))
        if doubles:
            raise UserError("\n".join(f"{origin}:{line}: {sentence}" for line, sentence in sorted(doubles)))

    def refusal(self, problems: Iterable[tuple[Place, str]]) -> UserError:
        """One error that tells every problem, each with its line and its place in the file."""
        lines = []
        for place, sentence in problems:
            where = ".".join(map(str, place)) or "the file"
            lines.append(f"{self.origin}:{self._line(place)}: {where}: {sentence}")
        return UserError("\n".join(dict.fromkeys(lines)))

    def _line(self, place: Place) -> int:
        """Line of a place in the file, or of the innermost thing around it that is there."""
        node = self._tree
        line = node.start_mark.line
        for part in place:
            if isinstance(node, yaml.MappingNode):
                inside = {key.value: (key, value) for key, value in node.value}
                if part not in inside:
                    break
                key, node = inside[part]
                line = key.start_mark.line
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.start_mark.line
        return line + 1


def _doubles(node: yaml.Node, seen: set[int]) -> Iterator[tuple[int, str]]:
    """Line and sentence for every key that its mapping has already; a node with an alias is looked at once."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            name = str(key.value)
            if name in lines:
                yield line, f"key {name!r} is there already, in line {lines[name]}; keep one of them"
            lines.setdefault(name, line)
            yield from _doubles(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            yield from _doubles(entry, seen)
