"""The three stages: an image encoder by contrast, a language model on text, and both together."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPVisionConfig,
    CLIPVisionModel,
    PreTrainedTokenizerFast,
)

from harness.backbones.bart import JointBart
from harness.backbones.vision import GRID, patch_features, to_pixels
from harness.pretraining.language import answer, describe, hide, look_up, sentence
from tasks.mini.drawing import PIXELS, draw
from tasks.mini.world import Item, Part, Scene, part_of, sample

WIDTH = 128
HEADS = 4
TEXT_LIMIT = 80  # tokens of a description of six items, and some more


class Stage(ABC):
    """One model and its training loss; each step's data comes from the step's number alone."""

    name: ClassVar[str]
    steps: ClassVar[int]
    batch_size: ClassVar[int]
    learning_rate: ClassVar[float]
    held_out_batches: ClassVar[int] = 8

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.tokenizer = tokenizer
        self.model: nn.Module = nn.Module()

    @abstractmethod
    def loss(self, step: int) -> Tensor:
        """The training loss of a step (scalar)."""

    @abstractmethod
    def held_out(self) -> dict[str, float]:
        """Accuracies on scenes of the validation part, by kind."""

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return next(self.model.parameters()).device

    def tokens(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Texts -> ids and mask (n, longest)."""
        batch = self.tokenizer(list(texts), padding=True, truncation=True, max_length=TEXT_LIMIT, return_tensors="pt")
        return batch["input_ids"].to(self.device), batch["attention_mask"].to(self.device)

    def pixels(self, scenes: Sequence[Scene]) -> Tensor:
        """Scenes -> pictures (n, 3, size, size)."""
        return torch.stack([to_pixels(draw(scene), PIXELS) for scene in scenes]).to(self.device)


class ImageStage(Stage):
    """CLIP's contrast between pictures and descriptions; every scene meets a near double in its batch.

    The picture's vector is the mean over its patches, so that patches, which are what language models read, learn
    directly. Half of a batch differs from the other half by one attribute or place each.
    """

    name = "image"
    steps = 1200
    batch_size = 128
    learning_rate = 1e-3

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        super().__init__(tokenizer)
        shape: dict[str, Any] = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_attention_heads": HEADS}
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
        self.scale = nn.Parameter(torch.tensor(2.659))  # log(1 / 0.07), as CLIP
        self.model = nn.ModuleDict(
            {
                "vision": self.vision,
                "text": self.text,
                "image_projection": nn.Linear(WIDTH, WIDTH, bias=False),
                "text_projection": nn.Linear(WIDTH, WIDTH, bias=False),
            }
        )
        self.model.register_parameter("scale", self.scale)

    def similarities(self, scenes: Sequence[Scene]) -> Tensor:
        """Scaled cosines of n pictures with n descriptions, (n, n)."""
        image = self.model["image_projection"](patch_features(self.vision, self.pixels(scenes)).mean(dim=1))  # type: ignore[index]
        ids, mask = self.tokens([describe(scene) for scene in scenes])
        text = self.model["text_projection"](self.text(ids, mask).pooler_output)  # type: ignore[index]
        image, text = nn.functional.normalize(image, dim=-1), nn.functional.normalize(text, dim=-1)
        return self.scale.exp().clamp(max=100.0) * image @ text.T

    def loss(self, step: int) -> Tensor:
        """Symmetric cross-entropy over the batch."""
        logits = self.similarities(self.scenes(step, "pretraining"))
        truth = torch.arange(len(logits), device=logits.device)
        return (cross_entropy(logits, truth) + cross_entropy(logits.T, truth)) / 2

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
        """Share of pictures whose own description is the most similar of a batch with near doubles."""
        hits = [
            (logits.argmax(dim=1) == torch.arange(len(logits), device=logits.device)).float().mean().item()
            for step in range(self.held_out_batches)
            for logits in [self.similarities(self.scenes(step, "validation"))]
        ]
        return {"in-batch matching": sum(hits) / len(hits)}


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


class LanguageStage(Stage):
    """BART on text alone: fill masked descriptions and answer questions about a described scene."""

    name = "language"
    steps = 600
    batch_size = 64
    learning_rate = 1e-3

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        super().__init__(tokenizer)
        config = BartConfig(
            vocab_size=len(tokenizer),
            d_model=WIDTH,
            encoder_layers=3,
            decoder_layers=3,
            encoder_attention_heads=HEADS,
            decoder_attention_heads=HEADS,
            encoder_ffn_dim=4 * WIDTH,
            decoder_ffn_dim=4 * WIDTH,
            max_position_embeddings=256,
            dropout=0.1,
            bos_token_id=tokenizer.bos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            decoder_start_token_id=tokenizer.eos_token_id,
            forced_eos_token_id=None,
        )
        self.joint = JointBart(BartForConditionalGeneration(config), WIDTH)
        self.model = self.joint.requires_grad_(True)

    def features(self, scenes: Sequence[Scene]) -> Tensor:
        """No image: (n, 0, 36, width)."""
        return torch.zeros(len(scenes), 0, GRID * GRID, WIDTH, device=self.device)

    def examples(self, scenes: Sequence[Scene], generator: random.Random) -> list[tuple[str, str, str]]:
        """(kind, input, target) per scene."""
        made = []
        for scene in scenes:
            text = describe(scene)
            if generator.random() < 0.4:
                made.append(("fill", f"fill: {hide(text, generator)}", text))
            else:
                question = (look_up if generator.random() < 0.3 else answer)(scene, generator)
                made.append((question.kind, f"vqa: {question.text} {text}", question.answer))
        return made

    def batch(self, step: int, part: Part) -> tuple[list[Scene], list[tuple[str, str, str]]]:
        """The scenes and examples of a step."""
        generator = random.Random(f"pretraining/{self.name}/{part}/{step}")
        scenes = [sample(generator, part) for _ in range(self.batch_size)]
        return scenes, self.examples(scenes, generator)

    def loss(self, step: int) -> Tensor:
        """Mean cross-entropy over the batch's target tokens."""
        scenes, examples = self.batch(step, "pretraining")
        ids, mask = self.tokens([text for _, text, _ in examples])
        labels, known = self.tokens([target for _, _, target in examples])
        labels = labels.masked_fill(known == 0, -100)
        logits = self.joint(ids, mask, self.features(scenes), labels)
        return cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)

    @torch.no_grad()
    def held_out(self) -> dict[str, float]:
        """Exact match by kind over generated answers."""
        hits: dict[str, list[bool]] = {}
        for step in range(self.held_out_batches):
            scenes, examples = self.batch(step, "validation")
            ids, mask = self.tokens([text for _, text, _ in examples])
            output = self.joint.generate(ids, mask, self.features(scenes), beams=1, max_length=TEXT_LIMIT)
            texts = self.tokenizer.batch_decode(output, skip_special_tokens=True)
            for (kind, _, target), text in zip(examples, texts, strict=True):
                hits.setdefault(kind, []).append(text.strip() == target)
        return {kind: sum(each) / len(each) for kind, each in sorted(hits.items())}


class JointStage(LanguageStage):
    """Language and image together: describe the scene, answer open questions, look up what stands at a place."""

    name = "joint"
    steps = 7000
    learning_rate = 1e-3
    describe_every: ClassVar[int] = 3  # steps
    fill_every: ClassVar[int] = 0  # steps; 0: never

    def __init__(self, tokenizer: PreTrainedTokenizerFast, encode: Callable[[Tensor], Tensor]) -> None:
        super().__init__(tokenizer)
        self._encode = encode

    def features(self, scenes: Sequence[Scene]) -> Tensor:
        """Patches of one picture each: (n, 1, 36, width)."""
        return self._encode(self.pixels(scenes))[:, None]

    def batch(self, step: int, part: Part) -> tuple[list[Scene], list[tuple[str, str, str]]]:
        """One kind of example a batch, in turn, so that lengths are alike."""
        generator = random.Random(f"pretraining/{self.name}/{part}/{step}")
        scenes = [sample(generator, part) for _ in range(self.batch_size)]
        if step % self.describe_every == 0:
            return scenes, [("describe", "describe:", describe(scene)) for scene in scenes]
        if self.fill_every and step % self.fill_every == 1:
            others = [sample(generator, part) for _ in scenes]  # the sentences are about other scenes than the pictures
            texts = [sentence(scene, generator) for scene in others]
            return scenes, [("fill", f"fill: {hide(text, generator)}", text) for text in texts]
        made = []
        for scene in scenes:
            question = (look_up if generator.random() < 0.3 else answer)(scene, generator)
            made.append((question.kind, f"vqa: {question.text}", question.answer))
        return scenes, made


class QuestionStage(JointStage):
    """The joint stage once more: mostly questions, and sentences with gaps.

    To find a thing by its looks is learnt later than what stands where; and a word that was never written has an
    output row that no method can reach with the token table frozen.
    """

    name = "questions"
    steps = 2600
    describe_every = 8
    fill_every = 4
