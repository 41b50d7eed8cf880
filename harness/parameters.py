"""What a method trains and adds to a backbone: the four counts, and the tensors that a checkpoint holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from harness.backbones import BackboneSpec, JointBackbone, on_meta, untrained
from methods import Method, TaskContext
from reports.published_numbers import updated_percent
from reports.record import Parameters

# Tasks of the papers' suites: some methods hold one module per task.
TASKS: Mapping[str, tuple[str, ...]] = {
    "image-text": ("vqav2", "gqa", "nlvr2", "coco-caption"),
    "video-text": ("tvqa", "how2qa", "tvc", "yc2c"),
}
VISUAL_TOKENS: Mapping[str, int] = {"image-text": 36, "video-text": 64}  # per image or video
EMBEDDED_SUITES: Mapping[str, str] = {"image-text": "mini-image", "video-text": "mini-video"}

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
    counts. ``language_model`` includes the token rows that VL-BART and VL-T5 add. ``added_at_inference`` is what
    stays beside the backbone once the method has merged what it can. ``tasks`` and ``feature_width`` default to the
    papers', the shapes to the backbone's usual ones; those of a ``loaded`` one are counted as they were loaded.

    Raises:
        ValueError: the method cannot serve this backbone.
        UserError: the backbone serves no suites of this kind.
    """
    with torch.device("meta"):
        model = on_meta(spec, kind, feature_width) if loaded is None else untrained(loaded)
        language_model, visual = _numbers(model.lm.parameters()), _numbers(model.visual.parameters())
        if loaded is None and (known := method.counted(spec.name)):
            return Parameters(
                trained=visual + known.trained,
                stored=_numbers(stored_tensors(model, VISUAL_TOKENS[kind]).values()) + known.stored,
                added_at_inference=known.left,
                frozen_extra=known.frozen,
                language_model=language_model,
                visual_embedding=visual,
                total=language_model + visual + known.trained + known.frozen,
            )
        own = set(_tensors(model))
        method.attach(model, TaskContext(tasks or TASKS[kind]))
        added = [tensor for tensor in _tensors(model) if tensor not in own]
        trained = _numbers(parameter for parameter in model.parameters() if parameter.requires_grad)
        stored = _numbers(stored_tensors(model, VISUAL_TOKENS[kind]).values())
        method.merge(model)
        left = [tensor for tensor in _tensors(model) if tensor not in own]
    return Parameters(
        trained=trained,
        stored=stored,
        added_at_inference=_numbers(left),
        frozen_extra=_numbers(tensor for tensor in added if not tensor.requires_grad),
        language_model=language_model,
        visual_embedding=visual,
        total=language_model + visual + _numbers(added),
    )


def table(
    methods: Iterable[type[Method]], backbones: Iterable[BackboneSpec], kinds: Iterable[str] = tuple(TASKS)
) -> list[dict[str, Any]]:
    """One row per backbone, kind of suite that it serves, and method, with the method's defaults there.

    Fields: method, backbone, suite, the four counts (trained, stored, added_at_inference, frozen_extra),
    total, updated_percent and published_percent (None where no paper prints one).
    """
    methods, kinds = list(methods), list(kinds)
    return [
        _row(method, spec, kind)
        for spec in backbones
        for kind in kinds
        if kind in spec.feature_widths
        for method in methods
    ]


def suite_of(spec: BackboneSpec, kind: str) -> str:
    """The suite that a kind of suite stands for in the table: an embedded backbone's, or the papers'."""
    return kind if spec.embedded is None else EMBEDDED_SUITES[kind]


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
    tokens = _token_table(model)
    if rows and not tokens.requires_grad:
        tensors[ROWS] = tokens.detach()[-rows:]
    return tensors


def _row(method: type[Method], spec: BackboneSpec, kind: str) -> dict[str, Any]:
    configured = method.configured(spec.family, kind, spec.name, like=spec.like)
    counts = count(configured, spec, kind)
    published = updated_percent(method.name, spec.name, kind)
    return {
        "method": method.name,
        "backbone": spec.name,
        "suite": suite_of(spec, kind),
        "trained": counts.trained,
        "stored": counts.stored,
        "added_at_inference": counts.added_at_inference,
        "frozen_extra": counts.frozen_extra,
        "total": counts.total,
        "updated_percent": counts.updated_percent,
        "published_percent": published.percent if published else None,
    }


def _tensors(model: JointBackbone) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def _numbers(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)


def _token_table(model: JointBackbone) -> Tensor:
    return model.lm.get_input_embeddings().weight  # type: ignore[return-value]
