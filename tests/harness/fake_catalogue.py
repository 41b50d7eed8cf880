"""A small catalogue without torch, real data or weights: two tasks (one absent), two backbones, three methods."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

from pydantic import Field

from harness.catalogue import Catalogue
from harness.plugins import Plugin, Registry
from methods.base import Method
from tasks.suites import Suite


class Adapter(Method):
    name = "adapter"
    title = "Adapter"
    version = "3"
    presets: ClassVar = {"bart": {"width": 96}}
    width: int = Field(64, ge=1)

    def attach(self, model: object, context: object) -> None: ...


class Lora(Adapter):
    name = "lora"
    rank: int = 4


class Everything(Adapter):
    name = "everything"
    usual = False


@dataclass
class FakeTask:
    name: str
    absent: str | None = None
    version: str = "1"

    @property
    def card(self) -> object:
        return SimpleNamespace(metric=SimpleNamespace(version="m2"))

    def missing(self) -> str | None:
        return self.absent

    def missing_images(self, encoder: str) -> str | None:
        return None

    def precomputed(self, encoder: str) -> object:
        return None

    def fingerprint_for(self, encoder: str) -> str:
        assert self.absent is None, "asked for the fingerprint of absent data"
        return f"data of {self.name}"


class FakeCatalogue(Catalogue):
    def __init__(self, absent: str | None = "photos are not here") -> None:
        super().__init__()
        tasks = [FakeTask("scenes"), FakeTask("photos", absent)]
        self._tasks = {task.name: task for task in tasks}
        self.__dict__["methods"] = Registry("method", {m.name: Plugin(m.name, "here", m) for m in METHODS})
        self.__dict__["tasks"] = Registry("task", {name: Plugin(name, "here") for name in self._tasks})
        self.__dict__["suites"] = {name: Suite(name, name, (name,)) for name in self._tasks}
        self.__dict__["backbones"] = {
            name: SimpleNamespace(name=name, family="bart", feature_widths={"image-text": 8}, like="", encoder="eye")
            for name in ("small", "large")
        }

    def backbone_missing(self, backbone: str, encodes: bool = True) -> str | None:
        return None

    def backbone_fingerprints(self, backbone: str) -> dict[str, str]:
        return {"backbone": f"weights of {backbone}"}


METHODS = (Adapter, Everything, Lora)


def write(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text)
    return str(path)
