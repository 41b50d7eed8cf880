"""Everything that a grid can name, and what of it is present on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from harness.plugins import Registry, find_methods, find_tasks
from tasks.suites import Suite, known

if TYPE_CHECKING:
    from harness.backbones.specs import BackboneSpec
    from methods.base import Method
    from tasks.base import Task


class Catalogue:
    """Methods, tasks, suites and backbones by name. Each is looked for when it is first asked for."""

    def __init__(self, data: Path | None = None, weights: Path | None = None, plugins: tuple[Path, ...] = ()) -> None:
        self.data = data
        self.weights = weights
        self.plugins = plugins
        self._tasks: dict[str, Task] = {}  # data is digested once, also for a grid of a thousand cells
        self._fingerprints: dict[tuple[str, str], str] = {}  # by task and encoder
        self._backbone_fingerprints: dict[str, dict[str, str]] = {}

    @cached_property
    def methods(self) -> Registry[Method]:
        """All methods; imports torch."""
        return find_methods(self.plugins)

    @cached_property
    def tasks(self) -> Registry[Task]:
        """All tasks."""
        return find_tasks(self.plugins)

    @cached_property
    def suites(self) -> Mapping[str, Suite]:
        """All suites: the named ones and every task as a suite of one."""
        return known(self.tasks.names())

    @cached_property
    def backbones(self) -> Mapping[str, BackboneSpec]:
        """All backbones; imports torch and transformers."""
        from harness.backbones.specs import SPECS

        return SPECS

    def task(self, name: str) -> Task:
        """The task with its data folder.

        Raises:
            UserError: there is no such task, or its plugin is broken.
        """
        if name not in self._tasks:
            self._tasks[name] = self.tasks.get(name)(self.data)
        return self._tasks[name]

    def missing(self, suite: str, backbone: str) -> str | None:
        """Return None if the suite can run on the backbone here, else one sentence: what to get and how."""
        encoder = self.backbones[backbone].encoder
        tasks = [self.task(name) for name in self.suites[suite].tasks]
        reasons = [task.missing() or task.missing_images(encoder) for task in tasks]
        reasons.append(self.backbone_missing(backbone, self._encodes(suite, encoder)))
        return "; ".join(reason for reason in dict.fromkeys(reasons) if reason) or None

    def backbone_missing(self, backbone: str, encodes: bool = True) -> str | None:
        """Return None if the weights of the backbone and, where it ``encodes``, of its image encoder are here, else
        one sentence.
        """
        from harness.backbones import registry, vision

        spec = self.backbones[backbone]
        return registry.missing(spec, self.weights) or (vision.missing(spec.encoder, self.weights) if encodes else None)

    def _encodes(self, suite: str, encoder: str) -> bool:
        """Whether a suite has pictures of which there are no features of this encoder yet."""
        return any(self.task(name).precomputed(encoder) is None for name in self.suites[suite].tasks)

    def backbone_fingerprints(self, backbone: str) -> dict[str, str]:
        """Digests of what is present: of the "backbone"'s weights and of its image "encoder"'s."""
        from harness.backbones import registry, vision

        if backbone not in self._backbone_fingerprints:
            spec = self.backbones[backbone]
            found = {}
            if registry.missing(spec, self.weights) is None:
                found["backbone"] = registry.fingerprint(spec, self.weights)
            if vision.missing(spec.encoder, self.weights) is None:
                found["encoder"] = vision.fingerprint(spec.encoder, self.weights)
            self._backbone_fingerprints[backbone] = found
        return self._backbone_fingerprints[backbone]

    def unfit(self, kind: str, backbone: str) -> str | None:
        """Return None if the backbone serves this kind of suite, else one sentence."""
        served = self.backbones[backbone].feature_widths
        if kind in served:
            return None
        return f"backbone {backbone!r} has no {kind} suites; it has: {', '.join(served)}"

    def fingerprints(self, suite: str, backbone: str) -> dict[str, str]:
        """Digests of what is present: of each task's data by its name, of "backbone" and, if it encodes, its "encoder".

        Raises:
            DataError: a data file is there but broken.
        """
        encoder = self.backbones[backbone].encoder
        found = {}
        for name in self.suites[suite].tasks:
            task = self.task(name)
            if (task.missing() or task.missing_images(encoder)) is None:
                if (name, encoder) not in self._fingerprints:
                    self._fingerprints[name, encoder] = task.fingerprint_for(encoder)
                found[name] = self._fingerprints[name, encoder]
        found |= self.backbone_fingerprints(backbone)
        if not self._encodes(suite, encoder):
            found.pop("encoder", None)
        return found
