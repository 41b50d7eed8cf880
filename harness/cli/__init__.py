"""The command line: ``python -m harness`` or ``harness``. The only place that writes to the terminal."""

from harness.cli.program import main

__all__ = ["main"]
