"""VL-BART: prompts and text share the embedding norm, only text has positions, images have own norms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout
from transformers.masking_utils import create_bidirectional_mask

from harness.backbones.joint import JointBackbone
from harness.backbones.visual import initialise_normal
from methods.sites import STACKS, M, Site, Stack


class JointBart(JointBackbone):
    """Joint encoder for every checkpoint of transformers' BART classes."""

    family = "bart"

    @property
    def row_deviation(self) -> float:
        """That of BART's own initialiser, 0.02."""
        return self.lm.config.init_std

    @property
    def layers(self) -> Mapping[Stack, Sequence[Any]]:
        """Encoder and decoder layers."""
        return {stack: getattr(self.lm.model, stack).layers for stack in STACKS}

    def published_generation(self) -> Mapping[str, Any]:
        """Those of facebook/bart-base with the forced tokens of the papers' library (model-facts 3.3).

        It forces ``</s>`` at the last position and nothing at the first; later versions differ.
        """
        return {
            "early_stopping": True,
            "no_repeat_ngram_size": 3,
            "forced_bos_token_id": None,
            "forced_eos_token_id": self.lm.config.eos_token_id,
        }

    def new_norm(self) -> nn.Module:
        """Layer norm with bias, eps 1e-5."""
        return nn.LayerNorm(self.width, eps=1e-5)

    def initialise(self, module: M) -> M:
        """N(0, 0.02) and zero biases, as BART's own initialiser does to every new module."""
        initialise_normal(module, self.lm.config.init_std)
        return module

    def head(self, states: Tensor) -> Tensor:
        """The tied token table and a bias that does not train."""
        return self.lm.lm_head(states) + self.lm.final_logits_bias

    def run_encoder(self, prompts: list[Tensor], ids: Tensor, visual: Tensor, mask: Tensor) -> Tensor:
        """See `JointBackbone.run_encoder`."""
        encoder = self.lm.get_encoder()
        text = encoder.embed_tokens(ids) + encoder.embed_positions(ids)  # (b, l, width)
        words = encoder.layernorm_embedding(torch.cat([*prompts, text], dim=1))
        states = dropout(torch.cat([words, visual], dim=1), encoder.dropout, self.training)
        attention = create_bidirectional_mask(encoder.config, states, mask)
        for layer in encoder.layers:
            states = layer(states, attention)
        return states

    def site_table(self) -> list[Site]:
        """Self-attention and feed-forward per encoder layer, cross-attention too in the decoder."""
        sites = []
        for stack, layers in self.layers.items():
            for index, layer in enumerate(layers):
                attentions: dict[Literal["self_attn", "cross_attn"], Any] = {"self_attn": layer.self_attn}
                if stack == "decoder":
                    attentions["cross_attn"] = layer.encoder_attn
                for kind, block in attentions.items():
                    linears = {"q": block.q_proj, "k": block.k_proj, "v": block.v_proj, "o": block.out_proj}
                    entry, end = block.q_proj, block.out_proj
                    sites.append(Site(stack, index, kind, entry, end, linears, block, block.num_heads))
                linears = {"up": layer.fc1, "down": layer.fc2}
                sites.append(Site(stack, index, "ffn", layer.fc1, layer.fc2, linears))
        return sites
