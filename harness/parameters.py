"""What a method trains and adds to a backbone: the four counts, and the tensors that a checkpoint holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from harness.backbones import BackboneSpec, JointBackbone, on_meta, untrained
from methods import Method, TaskContext
from reports.record import Parameters


@dataclass(frozen=True)
class PaperSuite:
    """A suite of the papers, as far as counts hang on it; its data need not be here."""

    name: str
    tasks: tuple[str, ...]  # some methods hold a module per task
    visual_tokens: int  # per image or video
    embedded: str | None = None  # the suite in its place on an embedded backbone


PAPER_SUITES: Mapping[str, PaperSuite] = {  # by kind
    "image-text": PaperSuite("image-text", ("vqav2", "gqa", "nlvr2", "coco-caption"), 36, "mini-image"),
    "video-text": PaperSuite("video-text", ("tvqa", "how2qa", "tvc", "yc2c"), 64, "mini-video"),
    "text": PaperSuite(
        "glue",
        tuple(f"glue/{task}" for task in ("cola", "sst2", "mrpc", "qqp", "stsb", "mnli", "qnli", "rte")),
        visual_tokens=0,
    ),
}

ROWS = "lm.token_rows"  # name of the token rows among the stored tensors


@dataclass(frozen=True)
class Own:
    """What a backbone holds without a method, in numbers."""

    language_model: int  # without the token rows
    token_rows: int
    visual_embedding: int
    rows: int  # that are the token rows, in each table of tokens
    width: int  # of a row


@dataclass(frozen=True)
class Effect:
    """What a method changes in that, in numbers; methods know nothing of the width of the features."""

    trained: int
    added: int
    frozen: int  # of the added
    stored: int
    left: int  # of the added, after merging
    keeps_token_rows: bool = True  # they do not train; those that images read are stored nevertheless


def count(
    method: Method,
    spec: BackboneSpec,
    kind: str,
    tasks: tuple[str, ...] | None = None,
    feature_width: int | None = None,
    loaded: JointBackbone | None = None,
) -> Parameters:
    """Count on the meta device, without weights, in a fraction of a second.

    Parameters that are one object (BART's token table and output head) count once; a frozen image encoder does not
    count. ``added_at_inference`` is what stays beside the backbone once the method has merged what it can.
    ``tasks`` and ``feature_width`` default to the papers', the shapes to the backbone's usual ones; those of a
    ``loaded`` one are counted as they were loaded. For suites of text the backbone is the published language model
    alone: no visual embedding, although that trains wherever there are images, and no token rows for images.
    An image encoder that trains within a ``loaded`` backbone counts as a part of it.

    Raises:
        ValueError: the method cannot serve this backbone.
        UserError: the backbone serves no suites of this kind.
    """
    suite = PAPER_SUITES[kind]
    tasks = tasks or suite.tasks
    if loaded is not None:
        with _without_numbers():
            model = untrained(loaded)
            own, effect = _own(model), _effect(method, model, tasks)
    else:
        own = _own_of(spec, kind, feature_width)
        if known := method.counted(spec.name):
            effect = Effect(known.trained, known.trained + known.frozen, known.frozen, known.stored, known.left)
        else:
            sizes = method.model_dump_json(exclude={"learning_rate"})
            key = (type(method), sizes, spec, kind == "text", len(tasks))
            effect = _effect_of(_Question(key, method, spec, kind, tasks))
    rows = min(suite.visual_tokens, own.rows) if effect.keeps_token_rows else 0
    encoder = _numbers(loaded.visual.encoder.parameters()) if loaded and loaded.visual.encoder else 0
    return Parameters(
        trained=own.visual_embedding + effect.trained + encoder,
        stored=own.visual_embedding + rows * own.width + effect.stored + encoder,
        added_at_inference=effect.left,
        frozen_extra=effect.frozen,
        language_model=own.language_model,
        token_rows=own.token_rows,
        visual_embedding=own.visual_embedding,
        image_encoder=encoder,
        total=own.language_model + own.token_rows + own.visual_embedding + effect.added + encoder,
    )


@dataclass(frozen=True)
class _Question:
    """Asks for an effect; equal where the key is, as on images and videos."""

    key: tuple[object, ...]
    method: Method = field(compare=False)
    spec: BackboneSpec = field(compare=False)
    kind: str = field(compare=False)
    tasks: tuple[str, ...] = field(compare=False)


@cache
def _effect_of(question: _Question) -> Effect:
    with _without_numbers():
        return _effect(question.method, on_meta(question.spec, question.kind), question.tasks)


@cache
def _own_of(spec: BackboneSpec, kind: str, feature_width: int | None) -> Own:
    with _without_numbers():
        return _own(on_meta(spec, kind, feature_width))


def _own(model: JointBackbone) -> Own:
    token_rows = model.random_rows * sum(table.shape[1] for table in _token_tables(model))
    return Own(
        language_model=_numbers(model.lm.parameters()) - token_rows,
        token_rows=token_rows,
        visual_embedding=_numbers(model.visual.parameters()),
        rows=model.random_rows,
        width=model.width,
    )


def _effect(method: Method, model: JointBackbone, tasks: tuple[str, ...]) -> Effect:
    own, visual = set(_tensors(model)), _numbers(model.visual.parameters())
    attach(method, model, TaskContext(tasks))
    added = [tensor for tensor in _tensors(model) if tensor not in own]
    trained = _numbers(parameter for parameter in model.parameters() if parameter.requires_grad)
    stored = _numbers(stored_tensors(model, visual_tokens=0).values())
    frozen_table = not _token_tables(model)[0].requires_grad
    method.merge(model)
    left = [tensor for tensor in _tensors(model) if tensor not in own]
    frozen = _numbers(tensor for tensor in added if not tensor.requires_grad)
    return Effect(trained - visual, _numbers(added), frozen, stored - visual, _numbers(left), frozen_table)


def attach(method: Method, model: JointBackbone, context: TaskContext) -> None:
    """Attach a method to a backbone.

    Raises:
        ValueError: the method cannot serve this backbone, or needs images where there are none.
    """
    if method.needs_image and not model.sees_images:
        raise ValueError("it needs images, and a suite of text has none")
    method.attach(model, context)


def stored_tensors(model: JointBackbone, visual_tokens: int) -> dict[str, Tensor]:
    """What a checkpoint must hold, by name, so that the backbone's weights and it give the trained model again.

    These are the trained parameters, everything frozen in modules that the method added (random projections,
    for instance) and, while the token table is frozen, its last rows as far as images read them
    (``visual_tokens``) and no published file holds them (`JointBackbone.random_rows`; none for embedded
    backbones). The tensors are the model's own: writing into them changes the model.
    """
    own = set(model.own_modules)
    added = {name for name, module in model.named_modules() if module not in own}
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    tensors = {
        name: tensor
        for name, tensor in model.state_dict().items()
        if name in trained or name.rpartition(".")[0] in added
    }
    rows = min(visual_tokens, model.random_rows)
    tokens = _token_tables(model)[0]
    if rows and not tokens.requires_grad:
        tensors[ROWS] = tokens.detach()[-rows:]
    return tensors


class _NothingDrawn(TorchFunctionMode):
    """Leaves out torch's initialisers: on the meta device they fill nothing, and take a third of the time."""

    initialisers: ClassVar = {getattr(nn.init, name) for name in dir(nn.init) if re.fullmatch(r"[a-z].*_", name)}

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in self.initialisers:
            return args[0] if args else kwargs["tensor"]
        return function(*args, **(kwargs or {}))


@contextmanager
def _without_numbers() -> Iterator[None]:
    """What is made has shapes alone, and nothing is drawn."""
    with torch.device("meta"), _NothingDrawn():
        yield


def _tensors(model: JointBackbone) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def _numbers(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)


def _token_tables(model: JointBackbone) -> list[Tensor]:
    """The table that tokens are read from; then the output head's, where that is another."""
    tables = (model.lm.get_input_embeddings().weight, model.lm.get_output_embeddings().weight)
    return list(dict.fromkeys(tables))
