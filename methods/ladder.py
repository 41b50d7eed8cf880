"""A narrow encoder-decoder beside the language model that climbs along its layers, as in Ladder Side-Tuning."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from transformers.cache_utils import DynamicLayer

from methods.sites import STACKS, Backbone, Passage, SideNetwork, Stack

SIZES = {"bart": ("d_model", "encoder_ffn_dim", "decoder_ffn_dim"), "t5": ("d_model", "d_ff", "d_kv")}
Memory = tuple[Tensor, Tensor | None]  # what cross-attention reads, (b, s, width / r), and where it may, (b, 1, 1, s)


class SideStack(nn.Module):
    """z_0 = E x, z_l = layer_l(g_l z_{l-1} + (1 - g_l) D_l h_l) with g_l = sigmoid(a_l / T), l = 1 … n.

    x (b, s, width) enters the backbone's stack, h_l is what its layer l gives, z is (b, s, width / r). The layers are
    of the backbone's own classes, with as many heads and all widths over r. E and D have biases; a starts from zero.
    """

    def __init__(self, model: Backbone, stack: Stack, reduction: int, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        wide: Any = getattr(model.lm, f"get_{stack}")()
        config = narrowed(wide.config, SIZES[model.family], reduction)
        layers = model.layers[stack]
        self.relative = model.family == "t5"  # positions are biases of attention
        self.layers = nn.ModuleList()
        for index, layer in enumerate(layers):
            options = {"has_relative_attention_bias": index == 0} if self.relative else {}
            # In the cache, its keys and values stand after those of the backbone's layers.
            self.layers.append(type(layer)(config, layer_idx=len(layers) + index, **options))
        for part in self.modules():
            if hasattr(part, "config"):
                part.config = wide.config  # asked for the kind of attention alone, which may be chosen later
        self.entry = nn.Linear(model.width, config.d_model)
        self.down = nn.ModuleList(nn.Linear(model.width, config.d_model) for _ in layers)
        self.gates = nn.Parameter(torch.zeros(len(layers)))
        self.dropout = nn.Dropout(config.dropout_rate if self.relative else config.dropout)
        self.end: nn.Module = nn.Identity()
        if self.relative:
            norm = type(wide.final_layer_norm)(config.d_model, config.layer_norm_epsilon)
            self.end = nn.Sequential(norm, self.dropout)

    def forward(self, entry: Tensor, passage: Passage, mask: Tensor | None, **options: Any) -> Tensor:
        """Give z_n, with norm and dropout where the backbone has them after its last layer.

        Where h_l is shorter than z, zeros follow D_l h_l. ``mask`` is that of self-attention; ``options`` go to the
        layers.
        """
        z = self.entry(entry)
        gates = torch.sigmoid(self.gates / self.temperature)
        for gate, read, layer in zip(gates, passage.read, self.layers, strict=True):
            below = pad(read, (0, 0, 0, z.shape[1] - read.shape[1]))
            z = layer(gate * z + (1 - gate) * below, mask, cache=passage.cache, **options)
            if isinstance(z, tuple):  # T5's first layer makes the position biases of all
                z, options["position_bias"], options["encoder_decoder_position_bias"] = z
        return self.end(z)

    def among_words(self, words: int, images: int) -> dict[str, Tensor]:
        """T5's position biases of an encoder, (1, heads, s, s): none wherever a visual token is involved."""
        if not self.relative:
            return {}
        first: Any = self.layers[0]
        bias = first.layer[0].SelfAttention.compute_bias(words, words)
        return {"position_bias": pad(bias, (0, images, 0, images))}


class Ladder(SideNetwork):
    """A `SideStack` beside each stack; U z_n of the decoder's goes to the output head, U: width / r -> width.

    The side decoder's cross-attention reads the side encoder. ``fed`` says whether the backbone reads visual tokens;
    the side encoder does in any case, after the text.
    """

    def __init__(self, model: Backbone, reduction: int, temperature: float, fed: bool) -> None:
        super().__init__()
        self.fed = fed
        self.encoder, self.decoder = (SideStack(model, stack, reduction, temperature) for stack in STACKS)
        self.up = nn.Linear(self.decoder.entry.out_features, model.width)

    def read(self, stack: Stack, layer: int, states: Tensor) -> Tensor:
        """D_l h_l, (b, s, width / r)."""
        return getattr(self, stack).down[layer](states)

    def encode(self, passage: Passage, visual: Tensor) -> Memory:
        """Run the side encoder over text and visual tokens."""
        entry = passage.entry if self.fed else torch.cat([passage.entry, self.encoder.dropout(visual)], dim=1)
        length, images = entry.shape[1], visual.shape[1]
        mask = visible_keys(passage.mask, length)
        return self.encoder(entry, passage, mask, **self.encoder.among_words(length - images, images)), mask

    def decode(self, passage: Passage, encoded: Memory) -> Tensor:
        """Run the side decoder; of g encoded examples each serves b / g neighbours: the beams of one example."""
        if passage.cache is not None:
            make_room(passage.cache, 2 * len(self.decoder.layers))
        beams = len(passage.entry) // len(encoded[0])
        states, mask = (part if part is None else part.repeat_interleave(beams, dim=0) for part in encoded)
        memory = {"encoder_hidden_states": states, "encoder_attention_mask": mask}
        return self.up(self.decoder(passage.entry, passage, passage.mask, **memory))


def narrowed(config: Any, names: tuple[str, ...], reduction: int) -> Any:
    """A copy of a stack's configuration with the named sizes divided.

    Raises:
        ValueError: a size cannot be divided, or the heads cannot share what is left of the width.
    """
    config = deepcopy(config)
    for name in names:
        size = getattr(config, name)
        if size % reduction:
            raise ValueError(f"reduction_factor ({reduction}) must divide {name}, which is {size}")
        setattr(config, name, size // reduction)
    if "d_kv" not in names and config.d_model % config.num_attention_heads:
        heads = config.num_attention_heads
        raise ValueError(f"reduction_factor ({reduction}) leaves a width of {config.d_model} to {heads} heads")
    return config


def visible_keys(mask: Tensor | None, length: int) -> Tensor | None:
    """The keys that an encoder's mask (b, 1, s, s) shows, as (b, 1, 1, length); those after s are shown too."""
    if mask is None:
        return None
    return pad(mask[:, :, :1], (0, length - mask.shape[-1]), value=mask.dtype == torch.bool)


def make_room(cache: Any, layers: int) -> None:
    """Let transformers' cache of an encoder-decoder hold so many layers; reordering beams then reorders them all."""
    for part in (cache.self_attention_cache, cache.cross_attention_cache):
        part.layers.extend(DynamicLayer() for _ in range(layers - len(part.layers)))
