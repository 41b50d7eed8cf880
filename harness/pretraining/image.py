"""The image encoder's stage: contrast between pictures and descriptions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPVisionConfig,
    CLIPVisionModel,
    PreTrainedTokenizerFast,
)

from harness.backbones.vision import GRID, patch_features
from harness.pretraining.language import account
from harness.pretraining.stage import ATTENTION, HEADS, TEXT_LIMIT, WIDTH, Stage
from tasks.mini.drawing import PIXELS, draw
from tasks.mini.world import SIDE, Item, Part, Scene, part_of, sample


class ImageStage(Stage):
    """CLIP's contrast between pictures and descriptions, and between the items of a picture and their names.

    The picture's vector is the mean over its patches, an item's the mean over the four patches of its cell, so that
    patches, which are what language models read, learn directly (contrast of regions as in RegionCLIP, CVPR 2022).
    Every scene meets a near double in its batch, which differs by one attribute or place.
    """

    name = "image"
    steps = 2000
    batch_size = 128
    learning_rate = 1e-3

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        super().__init__(tokenizer)
        shape: dict[str, Any] = {
            "hidden_size": WIDTH,
            "intermediate_size": 4 * WIDTH,
            "num_attention_heads": HEADS,
            "attn_implementation": ATTENTION,
        }
        self.vision = CLIPVisionModel(
            CLIPVisionConfig(**shape, num_hidden_layers=3, image_size=PIXELS, patch_size=PIXELS // GRID)
        )
        text = CLIPTextConfig(
            **shape,
            num_hidden_layers=2,
            vocab_size=len(tokenizer),
            max_position_embeddings=TEXT_LIMIT,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        self.text = CLIPTextModel(text)
        self.image_projection = nn.Linear(WIDTH, WIDTH, bias=False)
        self.text_projection = nn.Linear(WIDTH, WIDTH, bias=False)
        self.scale = nn.Parameter(torch.tensor(2.659))  # log(1 / 0.07), as CLIP
        self.model = nn.ModuleList([self.vision, self.text, self.image_projection, self.text_projection])
        self.model.register_parameter("scale", self.scale)

    def text_vectors(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors of n texts, (n, width), read at their last token.

        CLIPTextModel's own pooling looks for the highest id when the end token's id is 2, as ours is.
        """
        ids, mask = self.tokens(texts)
        states = self.text(ids, mask).last_hidden_state
        last = states[torch.arange(len(ids), device=ids.device), mask.sum(dim=1) - 1]
        return nn.functional.normalize(self.text_projection(last).float(), dim=-1)

    def similarities(self, scenes: Sequence[Scene]) -> tuple[Tensor, Tensor, Tensor]:
        """Scaled cosines of n pictures with n descriptions (n, n) and of m items with k names (m, k), and names (m)."""
        patches = patch_features(self.vision, self.pixels([draw(scene) for scene in scenes]))  # (n, 36, width)
        wide = GRID // SIDE
        cells = patches.unflatten(1, (SIDE, wide, SIDE, wide)).mean(dim=(2, 4)).flatten(1, 2)  # (n, 9, width)
        names = sorted({_name(item) for scene in scenes for item in scene.items})
        where = torch.tensor(
            [
                (number, item.row * SIDE + item.column, names.index(_name(item)))
                for number, scene in enumerate(scenes)
                for item in scene.items
            ],
            device=patches.device,
        )
        vectors = torch.cat([patches.mean(dim=1), cells[where[:, 0], where[:, 1]]])
        vectors = nn.functional.normalize(self.image_projection(vectors).float(), dim=-1)
        scaled = self.scale.exp().clamp(max=100.0) * vectors
        pictures, items = scaled[: len(scenes)], scaled[len(scenes) :]
        descriptions = self.text_vectors([account(scene) for scene in scenes])
        return pictures @ descriptions.T, items @ self.text_vectors(names).T, where[:, 2]

    def loss(self, step: int) -> Tensor:
        """Symmetric cross-entropy over the batch's pictures, and cross-entropy over its items' names."""
        whole, regions, names = self.similarities(self.scenes(step, "pretraining"))
        truth = torch.arange(len(whole), device=whole.device)
        return (cross_entropy(whole, truth) + cross_entropy(whole.T, truth)) / 2 + cross_entropy(regions, names)

    def scenes(self, step: int, part: Part) -> list[Scene]:
        """A batch: scenes, each followed by its near double."""
        generator = random.Random(f"pretraining/image/{part}/{step}")
        chosen = []
        for _ in range(self.batch_size // 2):
            scene = sample(generator, part)
            chosen += [scene, near_double(scene, generator, part)]
        return chosen

    @torch.no_grad()
    def held_out(self) -> dict[str, float]:
        """Shares of pictures, in a batch with near doubles, and of items whose own words are the most similar."""
        hits: dict[str, list[float]] = {"in-batch matching": [], "item naming": []}
        for step in range(self.held_out_batches):
            whole, regions, names = self.similarities(self.scenes(step, "validation"))
            truth = torch.arange(len(whole), device=whole.device)
            hits["in-batch matching"].append((whole.argmax(dim=1) == truth).float().mean().item())
            hits["item naming"].append((regions.argmax(dim=1) == names).float().mean().item())
        return {kind: sum(each) / len(each) for kind, each in hits.items()}


def _name(item: Item) -> str:
    return f"{item.size} {item.colour} {item.shape}"


def near_double(scene: Scene, generator: random.Random, part: Part) -> Scene:
    """The scene with one item's colour, shape, size or place taken from elsewhere; of the same part of the world."""
    while True:
        items = list(scene.items)
        index = generator.randrange(len(items))
        item, other = items[index], generator.choice(items)
        change = generator.choice(("colour", "shape", "size", "place"))
        if change == "place":
            row, column = divmod(generator.randrange(9), 3)
            changed = Item(row, column, item.size, item.colour, item.shape)
        elif change == "size":
            changed = Item(item.row, item.column, "small" if item.size == "large" else "large", item.colour, item.shape)
        elif change == "colour":
            changed = Item(item.row, item.column, item.size, other.colour, item.shape)
        else:
            changed = Item(item.row, item.column, item.size, item.colour, other.shape)
        items[index] = changed
        cells = {(each.row, each.column) for each in items}
        double = Scene(tuple(sorted(items)))
        if len(cells) == len(items) and double != scene and part_of(double) == part:
            return double
        if generator.random() < 0.05:  # a scene of doubles may have no such neighbour
            return sample(generator, part)
