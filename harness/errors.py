"""Errors that a user can act on; the command line prints their text as one line and exits with their code."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Bad input or wrong usage: the message names the thing, the place and the fix."""

    exit_code = 2


class NothingMatched(UserError):
    """The selection is well-formed but holds no cell."""

    exit_code = 3


class Unavailable(Exception):
    """A cell cannot run here and now (data or weights are absent); the message says how to get them."""


class Diverged(Exception):
    """Training broke down: the loss became infinite or not a number."""


class Incompatible(Exception):
    """The method cannot serve this backbone; raised from the ValueError of its `attach`."""


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """One sentence for an unknown name, with the nearest known names."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(repr(n) for n in near)}?" if near else f"known: {', '.join(names)}"
    return f"unknown {kind} {name!r}; {hint}"
