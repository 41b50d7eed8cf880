"""The start of a cell: from its plain configuration to a model with its method attached, and data to feed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from harness import parameters
from harness.backbones import registry
from harness.backbones.joint import JointBackbone
from harness.backbones.specs import BackboneSpec
from harness.backbones.vision import load_encoder
from harness.catalogue import Catalogue
from harness.cells import Cell, Settings
from harness.data import TaskData
from harness.errors import Incompatible, Unavailable, UserError
from harness.features import Encoder, Features, NoEncoder, features
from harness.options import Options
from harness.store import Progress, Store
from harness.texts import Shown, TextStore
from harness.workbench import Workbench, attention, find_device, find_dtype, make_reproducible, seed_everything
from methods import Method, TaskContext
from reports.record import Parameters
from tasks import Role, Task

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
    for task in tasks:
        if reason := task.missing():
            raise Unavailable(reason)
        if task.name in cell.data:
            _compare(cell, task.name, task.fingerprint(), f"the data of {task.name}")
    spec = registry.get(cell.backbone)
    encoder = NoEncoder() if cell.kind == "text" else load_encoder(spec.encoder, options.weights).to(device)
    _compare(cell, "encoder", encoder.fingerprint, f"the weights of image encoder {encoder.name}")
    method = catalogue.methods.get(cell.method)(**cell.parameters)
    model, tokenizer = _load(cell, options, spec, encoder.width)
    images: Encoder = encoder
    if cell.settings.image_encoder == "tuned":
        if isinstance(encoder, NoEncoder) or cell.kind != "image-text":
            raise Incompatible(f"image_encoder: tuned reads single images, and {cell.suite} is {cell.kind}")
        images, trainable = encoder.trainable()
        model.train_encoder(trainable)
    bench = _attach(cell, method, model, tokenizer, device)
    counts = parameters.count(method, spec, cell.kind, cell.tasks, loaded=bench.model)
    store = Store(options.cache)
    reader = _Reader(cell, store, images, bench, progress)
    splits: dict[Role, list[TaskData]] = {}
    settings = cell.settings
    roles: tuple[Role, ...] = ("train", settings.score_on)
    for role in roles if settings.selection == "last" else (*roles, "select"):
        splits[role] = [reader.read(task, role) for task in tasks]
    seed_everything(cell.seed)
    select = splits["select"] if settings.selection == "best" else []
    return Prepared(bench, counts, store, splits["train"], select, splits[settings.score_on])


def _compare(cell: Cell, name: str, fingerprint: str, thing: str) -> None:
    """Refuse what is not what the cell's key was made from; a cell without that fingerprint takes anything."""
    if cell.data.get(name, fingerprint) != fingerprint:
        raise UserError(f"{thing} changed since the run was planned; run the same command again")


def _load(
    cell: Cell, options: Options, spec: BackboneSpec, feature_width: int
) -> tuple[JointBackbone, PreTrainedTokenizerFast]:
    seed_everything(cell.seed)
    loaded = registry.load(spec, feature_width, options.weights)
    _compare(cell, "backbone", loaded.fingerprint, f"the weights of {cell.backbone}")
    if cell.settings.control == "random-backbone":
        _forget(loaded.model)
    return loaded.model, loaded.tokenizer


def _attach(
    cell: Cell, method: Method, model: JointBackbone, tokenizer: PreTrainedTokenizerFast, device: torch.device
) -> Workbench:
    dtype = find_dtype(cell.settings.precision, device)
    if device.type == "cpu":
        for part in model.modules():
            if isinstance(part, PreTrainedModel):
                part.set_attn_implementation(attention())
    context = TaskContext(cell.tasks)
    try:
        parameters.attach(method, model, context)
    except ValueError as error:
        raise Incompatible(f"{cell.method} cannot serve {cell.backbone}: {error}") from error
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise Incompatible(f"{cell.method} trains nothing on {cell.suite}: without images there is no visual embedding")
    return Workbench(model.to(device), tokenizer, method, context, device, dtype)


def _forget(model: JointBackbone) -> None:
    """Draw all weights anew from torch's global generator, visual embedding included, as before pre-training."""
    model.load_state_dict(registry.untrained(model).state_dict())


def _prefix(task: Task, settings: Settings) -> str:
    if not settings.task_prefixes:
        return ""
    return (settings.task_prefixes == "published" and task.published_prefix) or task.prefix


class _Reader:
    """Opens the data of tasks; image sets that several of them share are opened once."""

    def __init__(self, cell: Cell, store: Store, encoder: Encoder, bench: Workbench, progress: Progress) -> None:
        self.cell = cell
        self.store = store
        self.encoder = encoder
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
            self.opened[key] = features(self.store, self.encoder, images, self.progress)
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
