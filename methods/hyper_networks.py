"""Hypernetworks of a task and an image: hyper-embeddings, and from them prefixes and adapters of a whole stack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm, linear

from methods.base import TaskContext
from methods.prefixes import head_width
from methods.sites import Site

Reading = Literal["patch", "pooled"]


@dataclass(frozen=True)
class Sizes:
    """Sizes of the networks; see the fields of `HyperPELT`."""

    source: int  # of task, visual, layer and block vectors
    hidden: int
    embedding: int  # of a hyper-embedding
    length: int  # of a task's prefix
    rank: int  # of an adapter; 0: none


# D (g, rank, width), b_D (g, 1, rank), U (g, width, rank), b_U (g, 1, width); of a norm s and t, both (g, 1, width)
Adapter = tuple[Tensor, ...]


class HyperEmbedding(nn.Module):
    """I(z, p) = norm(A₂ relu(A₁ [z; e] + a₁) + a₂) of vectors z and places p; e joins p's row of every table."""

    def __init__(self, tables: Sequence[int], source: int, hidden: int, embedding: int) -> None:
        """``tables`` are the numbers of rows; vectors and rows have the size ``source``."""
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(rows, source) for rows in tables)
        self.first = nn.Linear((1 + len(tables)) * source, hidden)
        self.second = nn.Linear(hidden, embedding)
        self.LayerNorm = nn.LayerNorm(embedding, eps=1e-6)  # by this name spared weight decay, as in published code

    def forward(self, source: Tensor, places: Sequence[tuple[int, ...]]) -> Tensor:
        """Embed source (batch or 1, n, size) at p places, a row per table -> (batch or 1, p, n, embedding)."""
        rows = torch.tensor(places, device=source.device).T
        place = torch.cat([table(of) for table, of in zip(self.tables, rows, strict=True)], dim=-1)
        # A₁ falls into a part for the source and one for the place, so that no pair of them is laid out.
        of_source, of_place = self.first.weight.split([source.shape[-1], place.shape[-1]], dim=1)
        mixed = linear(source, of_source)[:, None] + linear(place, of_place, self.first.bias)[:, None]
        return self.LayerNorm(self.second(mixed.relu()))


class AdapterGenerator(nn.Module):
    """I -> D, b_D, U, b_U: an affine map of the hyper-embedding for each."""

    def __init__(self, embedding: int, width: int, rank: int) -> None:
        super().__init__()
        self.width, self.rank = width, rank
        # By their names the generators of biases are spared weight decay, as in HyperFormer's code.
        self.down, self.down_bias = nn.Linear(embedding, rank * width), nn.Linear(embedding, rank)
        self.up, self.up_bias = nn.Linear(embedding, width * rank), nn.Linear(embedding, width)

    def forward(self, embeddings: Tensor) -> list[Adapter]:
        """Embeddings (g, p, embedding) -> the adapters of p places."""
        parts = (
            self.down(embeddings).unflatten(-1, (self.rank, self.width)),
            self.down_bias(embeddings)[:, :, None],
            self.up(embeddings).unflatten(-1, (self.width, self.rank)),
            self.up_bias(embeddings)[:, :, None],
        )
        return list(zip(*(part.unbind(1) for part in parts), strict=True))


class NormedAdapterGenerator(AdapterGenerator):
    """I -> D, b_D, U, b_U, s, t: scale and shift of a layer norm too."""

    def __init__(self, embedding: int, width: int, rank: int) -> None:
        super().__init__(embedding, width, rank)
        self.scale, self.shift_bias = nn.Linear(embedding, width), nn.Linear(embedding, width)

    def forward(self, embeddings: Tensor) -> list[Adapter]:
        """Embeddings (g, p, embedding) -> the adapters of p places."""
        norms = (self.scale(embeddings)[:, :, None], self.shift_bias(embeddings)[:, :, None])
        return [
            (*adapter, *norm)
            for adapter, *norm in zip(super().forward(embeddings), *(part.unbind(1) for part in norms), strict=True)
        ]


class GeneratedAdapters(nn.Module):
    """(x, y) -> y + Σ (U φ(D y + b_D) + b_U) over what is read; φ the tanh-approximated GELU; owns no parameter.

    Where s and t of a norm come along, its summand v becomes norm(v) ⊙ s + t.
    """

    def __init__(self, read: Callable[[], list[Adapter]]) -> None:
        super().__init__()
        self.read = read

    def forward(self, _x: Tensor, y: Tensor) -> Tensor:
        """Adapt y (batch, length, width); of g adapters each serves batch / g neighbours: the beams of one example."""
        result = y
        for down, down_bias, up, up_bias, *norm in self.read():
            grouped = y.reshape(len(down), -1, y.shape[-1])
            change = gelu(grouped @ down.mT + down_bias, approximate="tanh") @ up.mT + up_bias
            if norm:
                scale, shift = norm
                change = layer_norm(change, change.shape[-1:]) * scale + shift
            result = result + change.view_as(y)
        return result


def start_small(module: nn.Module) -> None:
    """Draw linear maps from N(0, 0.01) with zero bias, as HyperFormer's code; tables keep torch's default, N(0, 1)."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=0.01)
            nn.init.zeros_(part.bias)


class StackNetworks(nn.Module):
    """All prefixes and adapters of one stack; task and image have a generator of each kind to themselves.

    Without a ``reading`` there are no images, and nothing is built for them.
    """

    def __init__(self, sites: list[Site], sizes: Sizes, reading: Reading | None) -> None:
        super().__init__()
        self.sizes, self.reading = sizes, reading
        attentions = [site for site in sites if site.attention is not None]
        kinds = list(dict.fromkeys(site.kind for site in attentions))
        self.attentions = [(site.layer, kinds.index(site.kind)) for site in attentions]
        self.feed_forwards = [(site.layer, len(kinds)) for site in sites if site.kind == "ffn"] if sizes.rank else []
        self.heads, self.head_width = attentions[0].heads, head_width(attentions[0])
        vector = 2 * self.heads * self.head_width  # a key and a value
        layers = 1 + max(site.layer for site in sites)
        tables = (layers, len(kinds) + bool(sizes.rank))
        self.embedding = HyperEmbedding(tables, sizes.source, sizes.hidden, sizes.embedding)
        self.task_prefix = nn.Linear(sizes.embedding, sizes.length * vector)
        if reading:
            self.visual_prefix = nn.Linear(sizes.embedding, vector if reading == "patch" else sizes.length * vector)
        if sizes.rank:
            self.task_adapter = AdapterGenerator(sizes.embedding, sites[0].width, sizes.rank)
        if sizes.rank and reading:
            self.visual_adapter = AdapterGenerator(sizes.embedding, sites[0].width, sizes.rank)

    def forward(self, task: Tensor, image: Tensor | None) -> Generated:
        """Task (1, 1, size), image (batch, tokens, size) or None without images."""
        prefixes = self.cut(self.task_prefix(self.embedding(task, self.attentions)))
        adapters = [self.adapters(self.task_adapter, task)] if self.sizes.rank else []
        if image is not None:
            mean = image.mean(dim=1, keepdim=True)
            source = image if self.reading == "patch" else mean
            visual = self.cut(self.visual_prefix(self.embedding(source, self.attentions)))
            prefixes = torch.cat([prefixes.expand(-1, -1, len(image), -1, -1, -1), visual], dim=-2)
            if self.sizes.rank:
                adapters.append(self.adapters(self.visual_adapter, mean))
        return Generated(prefixes, [list(of_site) for of_site in zip(*adapters, strict=True)])

    def cut(self, numbers: Tensor) -> Tensor:
        """(g, sites, n, length · 2 · heads · head width) -> (sites, 2, g, heads, n · length, head width)."""
        rows = numbers.unflatten(-1, (-1, 2, self.heads, self.head_width)).flatten(2, 3)
        return rows.permute(1, 3, 0, 4, 2, 5)

    def adapters(self, generator: nn.Module, source: Tensor) -> list[Adapter]:
        """Source (g, 1, size) -> an adapter for every feed-forward layer."""
        return generator(self.embedding(source, self.feed_forwards)[:, :, 0])


@dataclass
class Generated:
    """What one stack got for a batch: prefixes (sites, 2, g, heads, length, head width), adapters by site."""

    prefixes: Tensor
    adapters: list[list[Adapter]]


class HyperNetworks(nn.Module):
    """() -> what was generated for the active task and image, by stack."""

    def __init__(self, context: TaskContext, sites: Sequence[Site], sizes: Sizes, reading: Reading | None) -> None:
        """``reading`` is None where there are no images."""
        super().__init__()
        self.context = context
        self.task = nn.Embedding(len(context.tasks), sizes.source)
        self.visual = nn.Linear(sites[0].width, sizes.source) if reading else None
        stacks = {stack: [site for site in sites if site.stack == stack] for stack in ("encoder", "decoder")}
        self.stacks = nn.ModuleDict({name: StackNetworks(of, sizes, reading) for name, of in stacks.items()})
        start_small(self)

    def forward(self) -> dict[str, Generated]:
        """Generate everything in one go."""
        row = self.context.tasks.index(self.context.task)
        task, image = self.task.weight[row][None, None], self.context.image
        visual = self.visual(image) if self.visual else None
        return {name: stack(task, visual) for name, stack in self.stacks.items()}
