"""What is wrong with a value, in the words of this project instead of pydantic's."""

from __future__ import annotations

from collections.abc import Mapping
from reprlib import Repr
from typing import Any

# Kind of pydantic's error -> what would be right; the names in braces are those of the error's context.
RULES: Mapping[str, str] = {
    "greater_than_equal": "must be at least {ge:g}",
    "greater_than": "must be more than {gt:g}",
    "less_than_equal": "must be at most {le:g}",
    "less_than": "must be less than {lt:g}",
    "finite_number": "must be a finite number",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": "must match {pattern}",
    "too_short": "must have at least {min_length} entry",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping (name: value)",
    "model_type": "must be a mapping (name: value)",
    "model_attributes_type": "must be a mapping (name: value)",
}
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 60


def refusal(entry: Mapping[str, Any]) -> str:
    """One of a ValidationError's errors as what the value must be and what was given: "must be at least 1, not 0"."""
    kind, context = entry["type"], entry.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind == "too_short" and context["min_length"] == 1:
        return "must not be empty"
    if kind in ("value_error", "assertion_error"):
        return str(context["error"])  # a sentence of our own
    rule = RULES[kind].format_map(context) if kind in RULES else entry["msg"]
    return f"{rule}, not {_given(entry['input'])}"


def _given(value: object) -> str:
    """A value as the file spells it, shortened."""
    words: Mapping[object, str] = {None: "nothing", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else _SHORT.repr(value)
