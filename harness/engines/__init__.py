"""Engines: what starts cells. Results never travel through an engine; they are files."""

from harness.engines.base import Engine, Watcher

__all__ = ["Engine", "Watcher"]
