"""Everything that a grid can name, and what of it is present on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from harness.plugins import Registry, find_methods, find_tasks
from tasks.suites import Kind, Suite, known

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
        self._fingerprints: dict[str, str] = {}
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
        reasons = [self.task(task).missing() for task in self.suites[suite].tasks]
        reasons.append(self.backbone_missing(backbone, self.suites[suite].kind))
        return "; ".join(reason for reason in dict.fromkeys(reasons) if reason) or None

    def backbone_missing(self, backbone: str, kind: Kind) -> str | None:
        """Return None if the backbone's weights are here and, but for text, its image encoder's; else one sentence."""
        from harness.backbones import registry, vision

        spec = self.backbones[backbone]
        reason = registry.missing(spec, self.weights)
        return reason if reason or kind == "text" else vision.missing(spec.encoder, self.weights)

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
        """Digests of what is present: of each task's data by its name, of "backbone" and, but for text, its "encoder".

        Raises:
            DataError: a data file is there but broken.
        """
        found = {}
        for name in self.suites[suite].tasks:
            task = self.task(name)
            if task.missing() is None:
                if name not in self._fingerprints:
                    self._fingerprints[name] = task.fingerprint()
                found[name] = self._fingerprints[name]
        of_backbone = dict(self.backbone_fingerprints(backbone))
        if self.suites[suite].kind == "text":
            of_backbone.pop("encoder", None)
        return found | of_backbone
