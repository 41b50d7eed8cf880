"""Attention with prefixes, through transformers' registry of attention functions; its modules stay unmodified."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask, sdpa_mask
from transformers.models.t5.modeling_t5 import eager_attention_forward  # BART's, with a bias where one is given

SUFFIX = "_with_prefix"


def enable_prefixes(lm: Any) -> None:
    """Make every attention of the language model look for a prefix; it computes eagerly or fused as before.

    Raises:
        ValueError: its attention is neither eager nor sdpa.
    """
    name = lm.config._attn_implementation
    if name.endswith(SUFFIX):
        return
    if name not in ("eager", "sdpa"):
        raise ValueError(f"prefixes need eager or sdpa attention; this model computes {name}")
    lm.set_attn_implementation(name + SUFFIX)


def refuse_without_prefixes(attention: nn.Module, _args: tuple[Any, ...]) -> None:
    """Forward pre-hook: without it, an attention chosen after the prefix was attached would leave the prefix out.

    Raises:
        RuntimeError: the model's attention was changed.
    """
    if not attention.config._attn_implementation.endswith(SUFFIX):  # type: ignore[union-attr, operator]
        raise RuntimeError("the attention was changed after a prefix was attached; choose it before")


def _eager(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, **options: Any) -> Any:
    return _attend(eager_attention_forward, module, query, key, value, mask, **options)


def _fused(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, **options: Any) -> Any:
    queries, keys = query.shape[2], key.shape[2]
    if hasattr(module, "pet") and mask is None and queries > 1 and options.pop("is_causal", module.is_causal):
        # transformers left the mask to the kernel, which would count positions from the prefix on
        mask = torch.ones(queries, keys, dtype=torch.bool, device=key.device).tril(keys - queries)[None, None]
    return _attend(sdpa_attention_forward, module, query, key, value, mask, **options)


def _attend(
    stock: Callable[..., Any],
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    position_bias: Tensor | None = None,
    **options: Any,
) -> Any:
    """softmax(q [P_k; K]^T · scale + [0; bias] + [0; mask]) [P_v; V] per head, with P_k, P_v = ``module.pet()``.

    query (b, heads, q, w), key and value (b, heads, s, w), mask (b or 1, 1, q, s): True or 0 where attended,
    position_bias (1, heads, q, s). Of g prefixes each serves b / g neighbours: the beams of one example.
    """
    if hasattr(module, "pet"):
        before_keys, before_values = (_for_batch(vectors.to(key.dtype), len(key)) for vectors in module.pet())  # type: ignore[operator]
        length = before_keys.shape[2]
        key, value = torch.cat([before_keys, key], dim=2), torch.cat([before_values, value], dim=2)
        if mask is not None:
            mask = pad(mask, (length, 0), value=mask.dtype == torch.bool)
        if position_bias is not None:
            position_bias = pad(position_bias, (length, 0))
        options["is_causal"] = False  # by now the mask says it
    return stock(module, query, key, value, mask, position_bias=position_bias, **options)


def _for_batch(vectors: Tensor, batch: int) -> Tensor:
    """(g, heads, length, w) -> (batch, heads, length, w), each repeated for its neighbours."""
    each = batch // len(vectors)
    return vectors[:, None].expand(-1, each, -1, -1, -1).flatten(0, 1)


AttentionInterface.register("eager" + SUFFIX, _eager)
AttentionInterface.register("sdpa" + SUFFIX, _fused)
# Under a name without a mask function transformers makes no mask at all, and says nothing.
AttentionMaskInterface.register("eager" + SUFFIX, eager_mask)
AttentionMaskInterface.register("sdpa" + SUFFIX, sdpa_mask)
