"""Hyperformer: networks shared by all layers write the adapters of every task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from methods.base import Method, Paper, TaskContext
from methods.blocks import reduced
from methods.hyper_networks import (
    Adapter,
    AdapterGenerator,
    GeneratedAdapters,
    HyperEmbedding,
    NormedAdapterGenerator,
    start_small,
)
from methods.sites import Backbone, Site, around, once_per_batch, unfreeze_norms


class Hyperformer(Method):
    """A(h) = h + U φ(D h + b_D) + b_U on every sub-layer output h; D, b_D, U, b_U are affine in z, made for the task.

    z = norm(W₂ relu(W₁ [t; l] + b₁) + b₂) with the task's vector t and the layer's l (`HyperEmbedding`). Every kind
    of sub-layer has four affine maps of its own (`AdapterGenerator`), which all layers share. Encoder and decoder have
    nothing in common but the table of t, drawn from N(0, 1). On BART maps and layer vectors start from N(0, 0.02), on
    T5 maps from N(0, 0.01) and layer vectors from N(0, 1), biases from zero. Placed like the single adapter; φ is the
    tanh-approximated GELU; layer norms of BART train too, those of T5 not. Sizes are those of VL-Adapter's script.
    """

    name = "hyperformer"
    title = "Hyperformer"
    paper = Paper(
        key="mahabadi2021hyperformer",
        title="Parameter-efficient Multi-task Fine-tuning for Transformers via Shared Hypernetworks",
        url="https://arxiv.org/abs/2106.04489",
        year=2021,
        section="section 2; placement and sizes from VL-Adapter's code",
    )
    needs_task = True
    presets: ClassVar = {
        "bart/video-text": {"learning_rate": 3e-4},
        "t5": {"learning_rate": 3e-4},
        "mini-bart": {"source": 64, "hidden": 32, "embedding": 4},
    }

    reduction_factor: int = Field(8, ge=1, description="width of the model over width of the bottleneck")
    source: int = Field(512, ge=1, description="size of task and layer vectors")
    hidden: int = Field(128, ge=1, description="hidden units of the network that makes z")
    embedding: int = Field(8, ge=2, description="size of z")

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Give every site the adapter that is generated for it.

        Raises:
            ValueError: the bottleneck would have no unit.
        """
        served = [site for site in model.sites if self.serves(site)]
        sites = {stack: [site for site in served if site.stack == stack] for stack in ("encoder", "decoder")}
        networks = AdapterNetworks(context, self.source, {stack: self.stack(of) for stack, of in sites.items()})
        start_small(networks)
        made = once_per_batch(model, context, model.initialise(networks))
        for stack, of in sites.items():
            for row, site in enumerate(of):
                around(site, GeneratedAdapters(lambda stack=stack, row=row: [made()[stack][row]]))  # type: ignore[misc]
        if self.trains_norms(model):
            unfreeze_norms(model)

    def serves(self, site: Site) -> bool:
        """Whether a site gets an adapter."""
        return True

    def trains_norms(self, model: Backbone) -> bool:
        """Whether the norms of the language model train."""
        return model.family == "bart"

    def generator(self, width: int, rank: int) -> AdapterGenerator:
        """Build a generator of adapters."""
        return AdapterGenerator(self.embedding, width, rank)

    def stack(self, sites: Sequence[Site]) -> StackAdapters:
        """Build the networks of one stack."""
        keys, places = zip(*(self.place(site) for site in sites), strict=True)
        tables = [1 + max(rows) for rows in zip(*places, strict=True)]
        width = sites[0].width
        rank = reduced(width, self.reduction_factor)
        return StackAdapters(
            keys,
            places,
            HyperEmbedding(tables, self.source, self.hidden, self.embedding),
            {key: self.generator(width, rank) for key in dict.fromkeys(keys)},
        )

    def place(self, site: Site) -> tuple[str, tuple[int, ...]]:
        """Name a site's generator, and its rows in the tables of the hyper-embedding."""
        return site.kind, (site.layer,)


class EfficientHyperformer(Hyperformer):
    """Hyperformer with one generator per stack: z = norm(W₂ relu(W₁ [t; l; k] + b₁) + b₂), k the vector of the kind.

    By default VL-Adapter's port of HyperFormer++, with cross-attention as a third kind. Its code keeps a vector of that
    kind in the encoder too, where nothing reads it; here there is none. ``form`` "original", the preset of T5 on text:
    as HyperFormer's own code, which has no adapter at cross-attention, trains T5's norms too, and adds
    norm(v) ⊙ s + t in place of v = U φ(D h + b_D) + b_U, with s and t affine in z. On GLUE these are the paper's
    5,211,056 trained numbers: 0.29 % per task.
    """

    name = "hyperformer-efficient"
    title = "Hyperformer++"
    presets: ClassVar = {
        **Hyperformer.presets,
        "t5/text": {"form": "original", "reduction_factor": 32, "source": 64, "embedding": 64},
    }
    kinds: ClassVar = ("ffn", "self_attn", "cross_attn")

    form: Literal["vl-adapter", "original"] = Field("vl-adapter", description="whose code the adapters follow")

    def serves(self, site: Site) -> bool:
        """The original leaves cross-attention alone."""
        return self.form == "vl-adapter" or site.kind != "cross_attn"

    def trains_norms(self, model: Backbone) -> bool:
        """The original trains those of T5 too."""
        return self.form == "original" or super().trains_norms(model)

    def generator(self, width: int, rank: int) -> AdapterGenerator:
        """The original generates a norm too."""
        made = AdapterGenerator if self.form == "vl-adapter" else NormedAdapterGenerator
        return made(self.embedding, width, rank)

    def place(self, site: Site) -> tuple[str, tuple[int, ...]]:
        """All sites of a stack have the same generator and differ by layer and kind."""
        return "all", (site.layer, self.kinds.index(site.kind))


class StackAdapters(nn.Module):
    """Task vector -> an adapter for every site of one stack."""

    def __init__(
        self,
        keys: Sequence[str],
        places: Sequence[tuple[int, ...]],
        embedding: HyperEmbedding,
        generators: Mapping[str, AdapterGenerator],
    ) -> None:
        """``keys`` name each site's generator, ``places`` its rows in the embedding's tables."""
        super().__init__()
        self.keys, self.places = keys, places
        self.embedding = embedding
        self.generators = nn.ModuleDict(generators)

    def forward(self, task: Tensor) -> dict[int, Adapter]:
        """Task (size,) -> adapters by number of the site."""
        embeddings = self.embedding(task[None, None], self.places)[:, :, 0]
        made: dict[int, Adapter] = {}
        for key, generator in self.generators.items():
            rows = [row for row, of in enumerate(self.keys) if of == key]
            made.update(zip(rows, generator(embeddings[:, rows]), strict=True))
        return made


class AdapterNetworks(nn.Module):
    """() -> the active task's adapters, by stack and number of the site."""

    def __init__(self, context: TaskContext, source: int, stacks: Mapping[str, StackAdapters]) -> None:
        super().__init__()
        self.context = context
        # No nn.Embedding, which BART's rule for new modules would draw anew.
        self.tasks = nn.Parameter(torch.randn(len(context.tasks), source))
        self.stacks = nn.ModuleDict(stacks)

    def forward(self) -> dict[str, dict[int, Adapter]]:
        """Generate everything in one go."""
        task = self.tasks[self.context.tasks.index(self.context.task)]
        return {name: stack(task) for name, stack in self.stacks.items()}
