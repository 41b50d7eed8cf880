"""HyperPELT and HyperPrefix: weights generated from the task and the image, built from the published description."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from methods.base import Method, Paper, TaskContext
from methods.hyper_networks import GeneratedAdapters, HyperNetworks, Reading, Sizes
from methods.prefixes import SharedPrefix
from methods.sites import Backbone, around, once_per_batch, prefix, unfreeze_norms


class HyperPrefix(Method):
    """softmax(q [P_τ; P_v; K]^T) [P'_τ; P'_v; V] in every attention, all P from hyper-embeddings I_τ and I_v.

    I(z, l, b) = norm(A₂ relu(A₁ [z; e_l; e_b] + a₁) + a₂) of layer and block, with z the task's vector or a linear map
    of a visual token (`HyperEmbedding`; one per stack, the task table and that map shared). One affine map of I_τ per
    stack gives a task's ``length`` keys and values. ``reading`` "patch": every visual token gives one key and one
    value; "pooled": their mean gives ``length``. ``feed_visual_tokens`` off: the encoder reads no visual token, so
    images act through the generated weights alone. On suites of text nothing is built for images. Norms of the language
    model train. No code was published: sizes and initialisation are HyperFormer's where the text leaves them open.
    """

    name = "hyperprefix"
    title = "HyperPrefix"
    version = "2"
    paper = Paper(
        key="zhang2023hyperpelt",
        title="HyperPELT: Unified Parameter-Efficient Language Model Tuning for Both Language and "
        "Vision-and-Language Tasks",
        url="https://arxiv.org/abs/2203.03878",
        year=2023,
        section="figure 1 and section 6.1; built from the published description, no code was published",
    )
    needs_task = True
    presets: ClassVar = {
        "bart/video-text": {"learning_rate": 3e-4},
        "t5": {"learning_rate": 3e-4},
        "mini-bart": {"length": 5, "source": 16, "hidden": 32, "embedding": 8},
    }

    length: int = Field(10, ge=1, description="prefix vectors per attention and task; per image too if pooled")
    source: int = Field(64, ge=1, description="size of task, visual, layer and block vectors")
    hidden: int = Field(128, ge=1, description="hidden units of the network that makes hyper-embeddings")
    embedding: int = Field(64, ge=2, description="size of a hyper-embedding")
    reading: Reading = Field("patch", description="a visual prefix vector per token, or `length` of their mean")
    feed_visual_tokens: bool = Field(True, description="whether the encoder reads visual tokens too")

    def sizes(self) -> Sizes:
        """Sizes of the networks, here without adapters."""
        return Sizes(self.source, self.hidden, self.embedding, self.length, rank=0)

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Give every attention its prefixes and, where there are adapters, every feed-forward layer its adapters."""
        reading = self.reading if model.sees_images else None
        made = once_per_batch(model, context, HyperNetworks(context, model.sites, self.sizes(), reading))
        for stack in ("encoder", "decoder"):
            sites = [site for site in model.sites if site.stack == stack]
            for row, site in enumerate(site for site in sites if site.attention is not None):
                prefix(model, site, SharedPrefix(lambda stack=stack, row=row: made()[stack].prefixes[row]))  # type: ignore[misc]
            if self.sizes().rank:
                for row, site in enumerate(site for site in sites if site.kind == "ffn"):
                    around(site, GeneratedAdapters(lambda stack=stack, row=row: made()[stack].adapters[row]))  # type: ignore[misc]
        model.reads_visual_tokens = self.feed_visual_tokens
        unfreeze_norms(model)


class HyperPELT(HyperPrefix):
    """HyperPrefix, and y + A_τ(y) + A_v(y) on every feed-forward output y, with A(y) = U φ(D y + b_D) + b_U generated.

    D, b_D, U, b_U of the task's adapter are affine maps of I_τ, those of the image's of I_v of the mean visual token,
    a different one per example; φ is the tanh-approximated GELU. Placed as in HyperFormer: before dropout and the
    residual sum. Task and image have generators of their own. Like HyperPrefix in everything else.
    """

    name = "hyperpelt"
    title = "HyperPELT"
    presets: ClassVar = {
        **HyperPrefix.presets,
        "mini-bart": {**HyperPrefix.presets["mini-bart"], "rank": 8},
    }

    rank: int = Field(12, ge=1, description="hidden units of an adapter")

    def sizes(self) -> Sizes:
        """Sizes of the networks, with adapters."""
        return Sizes(self.source, self.hidden, self.embedding, self.length, self.rank)
