"""VL-T5: relative positions among prompts and text, none wherever an image is involved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from transformers.masking_utils import create_bidirectional_mask
from transformers.models.t5.modeling_t5 import T5LayerNorm

from harness.backbones.joint import JointBackbone
from methods.sites import STACKS, M, Site, Stack


class JointT5(JointBackbone):
    """Joint encoder for every checkpoint of transformers' T5 classes, with plain or gated feed-forward layers."""

    family = "t5"

    @property
    def row_deviation(self) -> float:
        """1, torch's default of an embedding, as the published code leaves it (model-facts 1.4)."""
        return 1.0

    @property
    def layers(self) -> Mapping[Stack, Sequence[Any]]:
        """Encoder and decoder blocks."""
        return {stack: getattr(self.lm, stack).block for stack in STACKS}

    def published_generation(self) -> Mapping[str, Any]:
        """None: t5-base asks for nothing beyond beams and length (model-facts 3.3)."""
        return {}

    def new_norm(self) -> nn.Module:
        """T5's own norm: root mean square without bias, eps 1e-6."""
        return T5LayerNorm(self.width, eps=1e-6)

    def initialise(self, module: M) -> M:
        """Nothing: T5's own initialiser knows T5's modules alone, so torch's defaults stay."""
        return module

    def head(self, states: Tensor) -> Tensor:
        """The token table on states times width^-1/2; checkpoints of v1.1 have a head of their own and no factor."""
        if self.lm.config.scale_decoder_outputs:
            states = states * self.width**-0.5
        return self.lm.lm_head(states)

    def run_encoder(self, prompts: list[Tensor], ids: Tensor, visual: Tensor, mask: Tensor) -> Tensor:
        """See `JointBackbone.run_encoder`.

        With w = p + l prompts and text tokens, the first layer's table gives the bias of the w × w pairs among
        them, as if prompts were words; it is 0 where query or key is visual. All layers share the sum (1, heads, s, s).
        """
        encoder = self.lm.get_encoder()
        words = torch.cat([*prompts, encoder.embed_tokens(ids)], dim=1)  # (b, w, width)
        states = encoder.dropout(torch.cat([words, visual], dim=1))
        length, images = words.shape[1], visual.shape[1]
        among_words = encoder.block[0].layer[0].SelfAttention.compute_bias(length, length)
        bias = pad(among_words, (0, images, 0, images))
        attention = create_bidirectional_mask(encoder.config, states, mask)
        for block in encoder.block:
            states, _, _ = block(states, attention, bias)
        return encoder.dropout(encoder.final_layer_norm(states))

    def site_table(self) -> list[Site]:
        """Self-attention and feed-forward per encoder layer, cross-attention too in the decoder.

        A sub-layer starts with its norm, which therefore is the entry.
        """
        sites = []
        for stack, blocks in self.layers.items():
            for index, block in enumerate(blocks):
                attention, *cross, feed_forward = block.layer
                attentions: dict[Literal["self_attn", "cross_attn"], Any] = {"self_attn": attention}
                if cross:
                    attentions["cross_attn"] = cross[0]
                for kind, layer in attentions.items():
                    heads = layer.SelfAttention if kind == "self_attn" else layer.EncDecAttention
                    linears = {"q": heads.q, "k": heads.k, "v": heads.v, "o": heads.o}
                    sites.append(Site(stack, index, kind, layer.layer_norm, heads.o, linears, heads, heads.n_heads))
                dense = feed_forward.DenseReluDense
                gated = hasattr(dense, "wi_0")  # act(gate x) · up x in place of act(up x)
                linears = {"gate": dense.wi_0, "up": dense.wi_1} if gated else {"up": dense.wi}
                linears |= {"down": dense.wo}
                sites.append(Site(stack, index, "ffn", feed_forward.layer_norm, dense.wo, linears))
        return sites
