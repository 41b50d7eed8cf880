"""What a method trains and adds to a backbone: the four counts, and the tensors that a checkpoint holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
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


def count(
    method: Method,
    spec: BackboneSpec,
    kind: str,
    tasks: tuple[str, ...] | None = None,
    feature_width: int | None = None,
    loaded: JointBackbone | None = None,
) -> Parameters:
    """Count on the meta device, without weights, in a fraction of a second.

    Parameters that are one object (BART's token table and output head) count once; the image encoder never
    counts. ``added_at_inference`` is what stays beside the backbone once the method has merged what it can.
    ``tasks`` and ``feature_width`` default to the papers', the shapes to the backbone's usual ones; those of a
    ``loaded`` one are counted as they were loaded. For suites of text the backbone is the published language model
    alone: no visual embedding, although that trains wherever there are images, and no token rows for images.

    Raises:
        ValueError: the method cannot serve this backbone.
        UserError: the backbone serves no suites of this kind.
    """
    with torch.device("meta"), _NothingDrawn():
        model = _on_meta(spec, kind, feature_width) if loaded is None else untrained(loaded)
        token_rows = model.random_rows * sum(table.shape[1] for table in _token_tables(model))
        language_model, visual = _numbers(model.lm.parameters()) - token_rows, _numbers(model.visual.parameters())
        if loaded is None and (known := method.counted(spec.name)):
            own_rows = _numbers(stored_tensors(model, PAPER_SUITES[kind].visual_tokens).values())
            return Parameters(
                trained=visual + known.trained,
                stored=own_rows + known.stored,
                added_at_inference=known.left,
                frozen_extra=known.frozen,
                language_model=language_model,
                token_rows=token_rows,
                visual_embedding=visual,
                total=language_model + token_rows + visual + known.trained + known.frozen,
            )
        own = set(_tensors(model))
        method.attach(model, TaskContext(tasks or PAPER_SUITES[kind].tasks))
        added = [tensor for tensor in _tensors(model) if tensor not in own]
        trained = _numbers(parameter for parameter in model.parameters() if parameter.requires_grad)
        stored = _numbers(stored_tensors(model, PAPER_SUITES[kind].visual_tokens).values())
        method.merge(model)
        left = [tensor for tensor in _tensors(model) if tensor not in own]
    return Parameters(
        trained=trained,
        stored=stored,
        added_at_inference=_numbers(left),
        frozen_extra=_numbers(tensor for tensor in added if not tensor.requires_grad),
        language_model=language_model,
        token_rows=token_rows,
        visual_embedding=visual,
        total=language_model + token_rows + visual + _numbers(added),
    )


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


def _on_meta(spec: BackboneSpec, kind: str, feature_width: int | None) -> JointBackbone:
    """The backbone on the meta device; for text as it was published, with nothing in the visual embedding's place."""
    if kind != "text":
        return on_meta(spec, kind, feature_width)
    model = on_meta(replace(spec, added_tokens=(), spare_rows=0, feature_widths={kind: 1}), kind)
    model.visual = nn.Identity()  # type: ignore[assignment]
    return model


def _tensors(model: JointBackbone) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def _numbers(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)


def _token_tables(model: JointBackbone) -> list[Tensor]:
    """The table that tokens are read from; then the output head's, where that is another."""
    tables = (model.lm.get_input_embeddings().weight, model.lm.get_output_embeddings().weight)
    return list(dict.fromkeys(tables))
