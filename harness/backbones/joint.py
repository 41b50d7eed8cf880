"""The joint text-and-image encoder around an unmodified encoder-decoder of transformers.

Only the encoder's front door is ours: embed, concatenate [prompt; text; visual], mask, and loop over
transformers' own layers. The decoder, attention, cache and generation are transformers'. Placement follows
VL-Adapter (CVPR 2022, section 3) and its published code.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from harness.backbones.visual import NoVisualEmbedding, VisualEmbedding
from methods.sites import M, Site, Stack


class JointBackbone(nn.Module, ABC):
    """A language model that reads text and visual features; fulfils `methods.Backbone`.

    Shapes: b examples, l text tokens, i images, n visual tokens per image, p prompt tokens, t target tokens.
    """

    family: ClassVar[str]

    def __init__(self, lm: PreTrainedModel, feature_width: int, generation: Mapping[str, Any] | None = None) -> None:
        """``feature_width`` 0: text alone; ``generation`` overrides single settings of the published checkpoint's."""
        super().__init__()
        self.random_rows = 0  # last rows of the token table that no checkpoint holds: added and drawn at random
        self.lm = lm.requires_grad_(False)
        self.generation = {**self.published_generation(), **(generation or {})}
        self.width: int = lm.config.d_model
        self.sees_images = feature_width > 0
        self.visual = (
            VisualEmbedding(feature_width, self.width, self.new_norm) if self.sees_images else NoVisualEmbedding()
        )
        self.initialise(self.visual)
        self.prompts = nn.ModuleList()
        self.reads_visual_tokens = True
        self.sites: tuple[Site, ...] = tuple(self.site_table())
        self.own_modules = tuple(self.modules())  # what is here before a method attaches

    def train_encoder(self, encoder: nn.Module) -> None:
        """Take an image encoder in, before a method attaches: it trains, and the model reads pixels for features."""
        self.visual.encoder = encoder
        self.own_modules = tuple(self.modules())

    @property
    @abstractmethod
    def row_deviation(self) -> float:
        """Standard deviation of the token rows that no checkpoint holds; their mean is 0."""

    @property
    @abstractmethod
    def layers(self) -> Mapping[Stack, Sequence[Any]]:
        """Whole layers by stack."""

    @abstractmethod
    def published_generation(self) -> Mapping[str, Any]:
        """Settings of the published checkpoint's generation."""

    @abstractmethod
    def new_norm(self) -> nn.Module:
        """Build a normalisation layer of this family."""

    @abstractmethod
    def initialise(self, module: M) -> M:
        """Apply the family's rule for new modules."""

    @abstractmethod
    def site_table(self) -> list[Site]:
        """List every residual sub-layer once."""

    @abstractmethod
    def run_encoder(self, prompts: list[Tensor], ids: Tensor, visual: Tensor, mask: Tensor) -> Tensor:
        """Run the encoder over [prompts; text; visual].

        prompts (b, p, width), ids (b, l), visual (b, i·n, width), mask (b, s) -> states (b, s, width),
        s = p + l + i·n.
        """

    @abstractmethod
    def head(self, states: Tensor) -> Tensor:
        """Logits (..., vocabulary) of the decoder's states (..., width), as the language model computes them."""

    def encode(self, ids: Tensor, mask: Tensor, features: Tensor) -> tuple[BaseModelOutput, Tensor]:
        """Read text and images: ids, mask (b, l), features (b, i, n, feature width).

        Returns the states (b, p + l + i·n, width) and their mask; prompts and visual tokens are never masked.
        """
        visual = self.visual(features, self.lm.get_input_embeddings().weight)  # (b, i·n, width)
        if not self.reads_visual_tokens:
            visual = visual[:, :0]  # methods that see images by another way have read them by now
        prompts = [module()[None].expand(len(ids), -1, -1) for module in self.prompts]
        before = sum(vectors.shape[1] for vectors in prompts)
        mask = pad(pad(mask, (before, 0), value=1), (0, visual.shape[1]), value=1)
        return BaseModelOutput(last_hidden_state=self.run_encoder(prompts, ids, visual, mask)), mask

    def forward(self, ids: Tensor, mask: Tensor, features: Tensor, labels: Tensor) -> Tensor:
        """Teacher-forced logits (b, t, vocabulary) for labels (b, t), padded with -100."""
        states, mask = self.encode(ids, mask, features)
        # Given labels, transformers would compute a loss of its own besides the trainer's.
        decoder_ids = self.lm.prepare_decoder_input_ids_from_labels(labels)  # type: ignore[operator]
        return self.lm(
            encoder_outputs=states, attention_mask=mask, decoder_input_ids=decoder_ids, use_cache=False
        ).logits

    def next_token_logits(self, ids: Tensor, mask: Tensor, features: Tensor, decoder_ids: Tensor) -> Tensor:
        """Logits (b, vocabulary) after the decoder has read decoder_ids (b, t).

        The head computes in the weights' own precision also under autocast: bfloat16 has so few digits that
        different tokens often get the same logit.
        """
        states, mask = self.encode(ids, mask, features)
        read = self.lm.get_decoder()(
            input_ids=decoder_ids,
            encoder_hidden_states=states.last_hidden_state,
            encoder_attention_mask=mask,
            use_cache=False,
        ).last_hidden_state
        with torch.autocast(read.device.type, enabled=False):
            return self.head(read[:, -1].to(self.lm.get_output_embeddings().weight.dtype))

    @torch.no_grad()
    def generate(
        self,
        ids: Tensor,
        mask: Tensor,
        features: Tensor,
        beams: int,
        max_length: int,
        no_repeat_ngram_size: int | None = None,
    ) -> Tensor:
        """Token ids (b, up to max_length) from the start token on, with key-value cache.

        ``no_repeat_ngram_size``: no run of so many tokens comes twice; 0: any may; None: as the checkpoint says.
        """
        states, mask = self.encode(ids, mask, features)
        settings = dict(self.generation)
        if no_repeat_ngram_size is not None:
            settings["no_repeat_ngram_size"] = no_repeat_ngram_size
        if beams == 1:
            settings.pop("early_stopping", None)  # a setting of beam search
        return self.lm.generate(  # type: ignore[operator]
            encoder_outputs=states,
            attention_mask=mask,
            num_beams=beams,
            max_length=max_length,
            do_sample=False,
            **settings,
        )
