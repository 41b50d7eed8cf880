"""Starting weights of a `Ladder`: the strongest rows and columns of the language model's own."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from methods.ladder import Ladder
from methods.sites import STACKS, Backbone, Site

POST_NORMS = {"self_attn": "self_attn_layer_norm", "cross_attn": "encoder_attn_layer_norm", "ffn": "final_layer_norm"}


@torch.no_grad()
def copy_strongest(model: Backbone, ladder: Ladder) -> None:
    """Fill the ladder's layers from the backbone's, in the order of the sub-layers, encoder first.

    The strongest columns of the token table are kept first. Then every sub-layer keeps of its inputs what the one
    before kept of its outputs; of its hidden units those with the largest Σ Π |W| over the matrices that make them
    (q k v, or up); of its outputs those with the largest Σ |W| (o, or down). Norms and biases follow their features.
    """
    kept = strongest(model.lm.get_input_embeddings().weight.T, ladder.up.in_features)  # type: ignore[operator]
    for stack in STACKS:
        narrow = getattr(ladder, stack)
        for site in model.sites:
            if site.stack == stack:
                kept = copy_site(model, site, narrow.layers[site.layer], kept)
        if model.family == "t5":
            copy(getattr(model.lm, stack).final_layer_norm, narrow.end[0], kept)


def copy_site(model: Backbone, site: Site, narrow: nn.Module, kept: Tensor) -> Tensor:
    """Fill a sub-layer of a layer's narrow twin; ``kept`` are the features that it reads, returned those it gives."""
    layer: Any = model.layers[site.stack][site.layer]
    twins: dict[Any, Any] = {module: narrow.get_submodule(name) for name, module in layer.named_modules()}
    *inputs, output = site.linears.values()
    together = math.prod((linear.weight[:, kept] for linear in inputs[1:]), start=inputs[0].weight[:, kept])
    hidden = strongest(together, twins[output].in_features)
    given = strongest(output.weight[:, hidden], twins[output].out_features)
    for linear in inputs:
        copy(linear, twins[linear], hidden, kept)
    copy(output, twins[output], given, hidden)
    if model.family == "t5":  # T5 norms what a sub-layer reads, BART the sum that it gives to
        copy(site.entry, twins[site.entry], kept)
    else:
        norm = getattr(layer, POST_NORMS[site.kind])
        copy(norm, twins[norm], given)
    table = getattr(site.attention, "relative_attention_bias", None)
    if table is not None:
        twins[table].weight.copy_(table.weight)
    return given


def strongest(matrix: Tensor, count: int) -> Tensor:
    """Indices, in ascending order, of the rows with the largest sums of magnitudes."""
    return matrix.abs().sum(dim=1).topk(count).indices.sort().values


def copy(wide: nn.Module, narrow: nn.Module, rows: Tensor, columns: Tensor | None = None) -> None:
    """Copy rows of weights and biases, and columns of matrices."""
    for name, parameter in narrow.named_parameters():
        chosen = wide.get_parameter(name)[rows]
        parameter.copy_(chosen if columns is None or chosen.dim() == 1 else chosen[:, columns])
