"""The start of a cell: from its plain configuration to a model with its method attached, and data to feed it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from harness import parameters
from harness.backbones import registry
from harness.backbones.joint import JointBackbone
from harness.backbones.specs import BackboneSpec
from harness.backbones.vision import SPECS, load_encoder
from harness.catalogue import Catalogue
from harness.cells import Cell, Settings
from harness.data import TaskData
from harness.errors import Incompatible, Unavailable, UserError
from harness.features import Features, features, read_features
from harness.options import Options
from harness.store import Progress, Store
from harness.texts import Shown, TextStore
from harness.workbench import Workbench, attention, find_device, find_dtype, make_reproducible, seed_everything
from methods import Method, TaskContext
from reports.record import Parameters
from tasks import ImageSet, Role, Task

SHOWN: Mapping[str, Shown] = {"subtitle-blind": "question", "question-blind": "nothing"}
"""What a control leaves of the text; the others leave all of it."""


@dataclass(frozen=True)
class Prepared:
    """A cell that is ready to train."""

    bench: Workbench
    counts: Parameters
    store: Store
    train: Sequence[TaskData]
    select: Sequence[TaskData]  # empty when no epoch is selected
    scored: Sequence[TaskData]  # the split that the settings score on
    read: Callable[[Task, Role], TaskData]  # what else of a task is asked for


def prepare(cell: Cell, options: Options, progress: Progress) -> Prepared:
    """Load and build everything that a cell computes with.

    Torch's generators are seeded before the first random number of the model is drawn, and again at the
    end, so that neither a cold cache nor the image encoder's constructor changes what training draws.

    Raises:
        Unavailable: data or weights are not here.
        Incompatible: the method cannot serve the backbone.
        DataError: a data file is broken.
        UserError: the device or precision cannot be used, the cache cannot be written, or data or weights are
            not those that the cell was planned with.
    """
    device = find_device(options.device)
    make_reproducible(options.threads, device)
    catalogue = Catalogue(options.data, options.weights, options.plugins)
    tasks = [catalogue.task(name) for name in cell.tasks]
    spec = registry.get(cell.backbone)
    for task in tasks:
        if reason := task.missing() or task.missing_images(spec.encoder):
            raise Unavailable(reason)
        if task.name in cell.data:
            _compare(cell, task.name, task.fingerprint_for(spec.encoder), f"the data of {task.name}")
    visual = _Visual(tasks, spec.encoder, options.weights, device)
    if visual.encoder is not None:
        _compare(cell, "encoder", visual.encoder.fingerprint, f"the weights of image encoder {spec.encoder}")
    method = catalogue.methods.get(cell.method)(**cell.parameters)
    bench = _build(cell, options, spec, method, visual.width, device)
    counts = parameters.count(method, spec, cell.kind, cell.tasks, loaded=bench.model)
    store = Store(options.cache)
    reader = _Reader(cell, store, visual, bench, progress)
    splits: dict[Role, list[TaskData]] = {}
    settings = cell.settings
    roles: tuple[Role, ...] = ("train", settings.score_on)
    for role in roles if settings.selection == "last" else (*roles, "select"):
        splits[role] = [reader.read(task, role) for task in tasks]
    seed_everything(cell.seed)
    select = splits["select"] if settings.selection == "best" else []
    return Prepared(bench, counts, store, splits["train"], select, splits[settings.score_on], reader.read)


def _compare(cell: Cell, name: str, fingerprint: str, thing: str) -> None:
    """Refuse what is not what the cell's key was made from; a cell without that fingerprint takes anything."""
    if cell.data.get(name, fingerprint) != fingerprint:
        raise UserError(f"{thing} changed since the run was planned; run the same command again")


def _build(
    cell: Cell,
    options: Options,
    spec: BackboneSpec,
    method: Method,
    feature_width: int,
    device: torch.device,
) -> Workbench:
    dtype = find_dtype(cell.settings.precision, device)
    seed_everything(cell.seed)
    loaded = registry.load(spec, feature_width, options.weights)
    _compare(cell, "backbone", loaded.fingerprint, f"the weights of {cell.backbone}")
    if cell.settings.control == "random-backbone":
        _forget(loaded.model)
    if device.type == "cpu":
        loaded.model.lm.set_attn_implementation(attention())
    context = TaskContext(cell.tasks)
    try:
        method.attach(loaded.model, context)
    except ValueError as error:
        raise Incompatible(f"{cell.method} cannot serve {cell.backbone}: {error}") from error
    return Workbench(loaded.model.to(device), loaded.tokenizer, method, context, device, dtype)


def _forget(model: JointBackbone) -> None:
    """Draw all weights anew from torch's global generator, visual embedding included, as before pre-training."""
    model.load_state_dict(registry.untrained(model).state_dict())


def _prefix(task: Task, settings: Settings) -> str:
    if not settings.task_prefixes:
        return ""
    return (settings.task_prefixes == "published" and task.published_prefix) or task.prefix


class _Visual:
    """Where the features of tasks come from: files that lie among their data, or the image encoder.

    Raises:
        Unavailable: the encoder is needed, and its weights are not here.
        UserError: they are broken, or features are of different widths.
    """

    def __init__(self, tasks: Sequence[Task], encoder: str, weights: Path | None, device: torch.device) -> None:
        found = {task.name: task.precomputed(encoder) for task in tasks}
        self._sources = {name: source for name, source in found.items() if source is not None}
        self.encoder = load_encoder(encoder, weights).to(device) if len(self._sources) < len(tasks) else None
        for source in self._sources.values():
            if source.encoder in SPECS and source.width != SPECS[source.encoder].width:
                raise UserError(
                    f"{source.place}: features of width {source.width}; those of {source.encoder} have "
                    f"{SPECS[source.encoder].width}: take the folder away or put features of that encoder there"
                )
        widths = {source.place: source.width for source in self._sources.values()}
        if self.encoder is not None:
            widths[f"image encoder {encoder}"] = self.encoder.width
        if len(set(widths.values())) > 1:
            told = ", ".join(f"{width} in {place}" for place, width in widths.items())
            raise UserError(f"features of one suite have several widths: {told}; keep those of one encoder")
        self.width = next(iter(widths.values()))

    def open(self, task: Task, images: ImageSet, store: Store, progress: Progress) -> Features:
        """The features of an image set of a task."""
        if task.name in self._sources:
            return read_features(store, self._sources[task.name], images, progress)
        assert self.encoder is not None
        return features(store, self.encoder, images, progress)


class _Reader:
    """Opens the data of tasks; image sets that several of them share are opened once."""

    def __init__(self, cell: Cell, store: Store, visual: _Visual, bench: Workbench, progress: Progress) -> None:
        self.cell = cell
        self.store = store
        self.visual = visual
        self.progress = progress
        longest = getattr(bench.model.lm.config, "max_position_embeddings", None)
        self.texts = TextStore(store, bench.tokenizer, longest, progress)
        self.padding_id = bench.tokenizer.pad_token_id
        self.opened: dict[tuple[str, str], Features] = {}

    def read(self, task: Task, role: Role) -> TaskData:
        """The examples of a role, as the settings let the model see them."""
        settings = self.cell.settings
        examples = task.examples(role)
        images = task.images(role)
        key = (images.name, images.fingerprint)
        if key not in self.opened:
            self.opened[key] = self.visual.open(task, images, self.store, self.progress)
        fingerprint = self.cell.data.get(task.name) or task.fingerprint()
        texts = self.texts.open(
            task, fingerprint, role, examples, _prefix(task, settings), SHOWN.get(settings.control, "all")
        )
        return TaskData(
            task,
            fingerprint,
            role,
            examples,
            texts,
            self.opened[key],
            self.padding_id,
            limit=settings.limit,
            image_blind=settings.control == "image-blind",
        )
