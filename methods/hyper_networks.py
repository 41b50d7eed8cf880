"""Hypernetworks of a task and an image: hyper-embeddings, and from them prefixes and adapters of a whole stack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear

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


class HyperEmbedding(nn.Module):
    """I(z, l, b) = norm(A₂ relu(A₁ [z; e_l; e_b] + a₁) + a₂) of vectors z, layers l and blocks b of one stack."""

    def __init__(self, layers: int, blocks: int, sizes: Sizes) -> None:
        super().__init__()
        self.layer = nn.Embedding(layers, sizes.source)
        self.block = nn.Embedding(blocks, sizes.source)
        self.first = nn.Linear(3 * sizes.source, sizes.hidden)
        self.second = nn.Linear(sizes.hidden, sizes.embedding)
        self.norm = nn.LayerNorm(sizes.embedding, eps=1e-6)

    def forward(self, source: Tensor, places: Sequence[tuple[int, int]]) -> Tensor:
        """Embed source (batch or 1, n, size) at p places (layer, block) -> (batch or 1, p, n, embedding)."""
        layers, blocks = torch.tensor(places, device=source.device).T
        place = torch.cat([self.layer(layers), self.block(blocks)], dim=-1)  # (p, 2 size)
        # A₁ falls into a part for the source and one for the place, so that no pair of them is laid out.
        of_source, of_place = self.first.weight.split([source.shape[-1], place.shape[-1]], dim=1)
        mixed = linear(source, of_source)[:, None] + linear(place, of_place, self.first.bias)[:, None]
        return self.norm(self.second(mixed.relu()))


class StackNetworks(nn.Module):
    """All prefixes and adapters of one stack; task and image have a generator of each kind to themselves."""

    def __init__(self, sites: list[Site], sizes: Sizes, reading: Reading) -> None:
        super().__init__()
        self.sizes, self.reading = sizes, reading
        attentions = [site for site in sites if site.attention is not None]
        kinds = list(dict.fromkeys(site.kind for site in attentions))
        self.attentions = [(site.layer, kinds.index(site.kind)) for site in attentions]
        self.feed_forwards = [(site.layer, len(kinds)) for site in sites if site.kind == "ffn"] if sizes.rank else []
        self.heads, self.head_width, self.width = attentions[0].heads, head_width(attentions[0]), sites[0].width
        vector = 2 * self.heads * self.head_width  # a key and a value
        layers = 1 + max(site.layer for site in sites)
        self.embedding = HyperEmbedding(layers, len(kinds) + bool(sizes.rank), sizes)
        self.task_prefix = nn.Linear(sizes.embedding, sizes.length * vector)
        self.visual_prefix = nn.Linear(sizes.embedding, vector if reading == "patch" else sizes.length * vector)
        if sizes.rank:
            numbers = 2 * self.width * sizes.rank + sizes.rank + self.width
            self.task_adapter = nn.Linear(sizes.embedding, numbers)
            self.visual_adapter = nn.Linear(sizes.embedding, numbers)

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

    def adapters(self, generator: nn.Linear, source: Tensor) -> list[tuple[Tensor, ...]]:
        """Source (g, 1, size) -> D (g, rank, width), b_D (g, 1, rank), U (g, width, rank), b_U (g, 1, width)."""
        rank, width = self.sizes.rank, self.width
        numbers = generator(self.embedding(source, self.feed_forwards))[:, :, 0]  # (g, sites, numbers)
        down, down_bias, up, up_bias = numbers.split([rank * width, rank, width * rank, width], dim=-1)
        parts = (
            down.unflatten(-1, (rank, width)),
            down_bias[:, :, None],
            up.unflatten(-1, (width, rank)),
            up_bias[:, :, None],
        )
        return list(zip(*(part.unbind(1) for part in parts), strict=True))


@dataclass
class Generated:
    """What one stack got for a batch: prefixes (sites, 2, g, heads, length, head width), adapters by site."""

    prefixes: Tensor
    adapters: list[list[tuple[Tensor, ...]]]


class HyperNetworks(nn.Module):
    """() -> what was generated for the active task and image, by stack."""

    def __init__(self, context: TaskContext, sites: Sequence[Site], sizes: Sizes, reading: Reading) -> None:
        super().__init__()
        self.context = context
        self.task = nn.Embedding(len(context.tasks), sizes.source)
        self.visual = nn.Linear(sites[0].width, sizes.source)
        stacks = {stack: [site for site in sites if site.stack == stack] for stack in ("encoder", "decoder")}
        self.stacks = nn.ModuleDict({name: StackNetworks(of, sizes, reading) for name, of in stacks.items()})
        for part in self.modules():
            if isinstance(part, nn.Linear):  # as HyperFormer's code; tables stay at N(0, 1), torch's default
                nn.init.normal_(part.weight, std=0.01)
                nn.init.zeros_(part.bias)

    def forward(self) -> dict[str, Generated]:
        """Generate everything in one go."""
        row = self.context.tasks.index(self.context.task)
        task, image = self.task.weight[row][None, None], self.context.image
        visual = self.visual(image) if image is not None and image.shape[1] else None
        return {name: stack(task, visual) for name, stack in self.stacks.items()}


class GeneratedAdapters(nn.Module):
    """(x, y) -> y + Σ (U φ(D y + b_D) + b_U) over task and image; φ the tanh-approximated GELU; owns no parameter."""

    def __init__(self, read: Callable[[], list[tuple[Tensor, ...]]]) -> None:
        super().__init__()
        self.read = read

    def forward(self, _x: Tensor, y: Tensor) -> Tensor:
        """Adapt y (batch, length, width); of g adapters each serves batch / g neighbours: the beams of one example."""
        result = y
        for down, down_bias, up, up_bias in self.read():
            grouped = y.reshape(len(down), -1, y.shape[-1])
            inner = gelu(grouped @ down.mT + down_bias, approximate="tanh")
            result = result + (inner @ up.mT + up_bias).view_as(y)
        return result
