"""What a tuning method is: a frozen, typed bag of hyper-parameters that knows how to attach itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import isabstract
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from methods import tuned

if TYPE_CHECKING:
    from torch import Tensor

    from methods.sites import Backbone


@dataclass(frozen=True)
class Paper:
    """Where a method comes from."""

    key: str  # BibTeX key
    title: str
    url: str
    year: int
    section: str = ""


class TaskContext:
    """Names the task of the batch being computed; one per run, shared by all attached modules.

    The block must enclose ``backward()`` too: gradient checkpointing runs the forward a second time there.
    ``image`` and ``made`` are filled by `methods.sites.once_per_batch`, and are None for methods without it.
    """

    def __init__(self, tasks: tuple[str, ...]) -> None:
        self.tasks = tuple(tasks)
        self._task: str | None = None
        self.image: Tensor | None = None  # visual tokens of the batch, (batch, tokens, width)
        self.made: Any = None  # what a shared module made for the batch, such as generated weights

    @property
    def task(self) -> str:
        """The active task.

        Raises:
            RuntimeError: read outside a `with context.on(task):` block.
        """
        if self._task is None:
            raise RuntimeError("no task is active: compute forward and backward inside `with context.on(task):`")
        return self._task

    @contextmanager
    def on(self, task: str) -> Iterator[None]:
        """Make a task the active one.

        Raises:
            ValueError: the run has no such task.
            RuntimeError: another task is still active.
        """
        if task not in self.tasks:
            raise ValueError(f"unknown task {task!r}; this run has {', '.join(self.tasks)}")
        if self._task is not None:
            raise RuntimeError(f"task {self._task!r} is still active; leave it before entering {task!r}")
        self._task = task
        try:
            yield
        finally:
            self._task = self.image = self.made = None


class Added(BaseModel):
    """How many numbers a method puts into a language model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trained: int
    frozen: int
    stored: int  # what of them a checkpoint holds
    left: int  # what of them is there after `Method.merge`


class Method(BaseModel, ABC):
    """Base of all methods. A sub-class's fields are its hyper-parameters, with the paper's defaults for BART.

    A backbone is frozen before `attach`, except the visual embedding, which trains under every method
    (VL-Adapter, section 4).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    title: ClassVar[str]
    version: ClassVar[str] = "1"  # changes whenever the same hyper-parameters could train differently
    paper: ClassVar[Paper | None] = None
    identity_at_start: ClassVar[bool] = False  # the attached model computes what the backbone computes
    mergeable: ClassVar[bool] = False  # nothing is left beside the backbone after `merge`
    needs_task: ClassVar[bool] = False
    needs_image: ClassVar[bool] = False  # serves no suite of text
    reads_padding: ClassVar[bool] = False  # an example's result depends on how far its batch is padded
    usual: ClassVar[bool] = True  # among `usual` in grids; else part of a long tail, run by name, glob or `all` alone
    unusable: ClassVar[str] = ""  # why nothing can use it here: it is listed with this reason, and never run
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Defaults that differ by backbone, by selector: a family ("t5"), a family and a kind of suite
    ("bart/video-text"), or a backbone ("mini-bart"), whose presets serve the backbones that are like it too.
    The more specific selector wins."""

    learning_rate: float = Field(1e-3, gt=0, description="peak learning rate")

    @classmethod
    def __pydantic_init_subclass__(cls, **_options: Any) -> None:
        """Refuse what no listing and no report could show.

        Raises:
            TypeError: the class has a name but no title.
        """
        if hasattr(cls, "name") and not hasattr(cls, "title") and not isabstract(cls):
            raise TypeError(f"{cls.__name__} has a name but no title; give it one")

    @classmethod
    def configured(
        cls, family: str, kind: str, backbone: str, overrides: Mapping[str, Any] | None = None, like: str = ""
    ) -> Self:
        """Build the method with its defaults for a backbone and a kind of suite.

        What there is for the backbone ``like`` it serves, where the backbone has nothing of its own. A learning rate
        in `methods.tuned` comes before the presets', an override before everything.

        Raises:
            pydantic.ValidationError: an override is unknown or out of range.
        """
        values: dict[str, Any] = {}
        for selector in (part for name in (family, like, backbone) for part in (name, f"{name}/{kind}")):
            values |= cls.presets.get(selector, {})
        if found := tuned.rate(backbone, kind, cls.name) or tuned.rate(like, kind, cls.name):
            values["learning_rate"] = found.learning_rate
        return cls(**(values | dict(overrides or {})))

    @abstractmethod
    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Add modules with the verbs of `methods.sites` and unfreeze what must learn.

        Raises:
            ValueError: the method cannot serve this backbone.
        """

    def regulariser(self, model: Backbone) -> Tensor | None:
        """Extra loss (scalar) added to every step's loss, or None."""
        return None

    def after_step(self, model: Backbone, step: int, steps: int) -> None:
        """Run after each optimiser step, while its gradients are there; ``step`` counts from 1 to ``steps``."""

    def counted(self, backbone: str) -> Added | None:
        """What `attach` adds to a backbone without its weights, if that is known and takes long to find out."""
        return None

    def merge(self, model: Backbone) -> None:
        """Fold what can be folded into the backbone's weights, for inference."""
