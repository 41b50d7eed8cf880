"""The visual embedding of VL-BART and VL-T5 (VL-Adapter's published code; trains under every method)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class VisualEmbedding(nn.Module):
    """e_j = N1(W_f f_j + b_f) + N2(W_p [0; 0] + b_p) + I[i] + E[V - 1 - j] for token j of image i.

    Boxes are zero, as with CLIP's grid features in VL-Adapter, so the box term is the same vector for every
    token and W_p gets no gradient; it is kept for equal functions and equal counts. E is the language model's
    token table (V rows), handed in at each call so that it stays one object.
    """

    images = 2  # rows of the image-order table

    def __init__(self, feature_width: int, width: int, new_norm: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.feature_width = feature_width
        self.encoder: nn.Module | None = None  # of images, where it trains
        self.feature = nn.Sequential(nn.Linear(feature_width, width), new_norm())
        self.box = nn.Sequential(nn.Linear(5, width), new_norm())
        self.image_order = nn.Embedding(self.images, width)

    def forward(self, features: Tensor, token_table: Tensor) -> Tensor:
        """Embed features (b, i, n, feature width) with the token_table (V, width) as (b, i·n, width).

        With an encoder of its own it gets pixels (b, i, 3, size, size) in the features' place.

        Raises:
            ValueError: more images than rows in the image-order table.
        """
        if self.encoder is not None:
            features = self.encoder(features)
        _, images, tokens, _ = features.shape
        if images > self.images:
            raise ValueError(f"{images} images per example; the visual embedding has room for {self.images}")
        order = self.image_order.weight[:images, None]  # (i, 1, width)
        place = token_table[len(token_table) - tokens :].flip(0)  # row j is E[V - 1 - j], (n, width)
        box = self.box(features.new_zeros(5))  # (width,)
        return (self.feature(features) + box + order + place).flatten(1, 2)


class NoVisualEmbedding(nn.Module):
    """In the visual embedding's place where a suite has no images: it gives no visual token and trains nothing."""

    images = 0
    feature_width = 0
    encoder: nn.Module | None = None

    def forward(self, features: Tensor, token_table: Tensor) -> Tensor:
        """No features (b, 0, n, 0) and the token_table (V, width) -> no tokens, (b, 0, width)."""
        return token_table.new_empty(len(features), 0, token_table.shape[1])


def initialise_normal(module: nn.Module, deviation: float) -> None:
    """Draw every Linear and Embedding weight from N(0, deviation) and set biases to zero; leave the rest.

    This is what the published code's library does to all new modules of BART (methods of VL-Adapter, VL-PET).
    """
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding) and part.weight.device != torch.device("meta"):
            nn.init.normal_(part.weight, std=deviation)
            if isinstance(part, nn.Linear) and part.bias is not None:
                nn.init.zeros_(part.bias)
