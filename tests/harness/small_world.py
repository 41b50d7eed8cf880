"""A tiny random BART with a tokenizer of its own, a fake image encoder, and data of `small_tasks` for them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from small_tasks import SmallCaption, SmallColour, SmallTruth
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor
from transformers import BartConfig, BartForConditionalGeneration, PreTrainedTokenizerFast

from harness.backbones.bart import JointBart
from harness.data import Mixture, TaskData
from harness.features import features
from harness.store import Store
from harness.texts import TextStore
from harness.workbench import Workbench, seed_everything
from methods import Method, TaskContext, unfreeze
from tasks import Role

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
WORDS = ["red", "green", "blue", "what", "colour", "true", "false", "same", "a", "image", "ask:", "say:", "tell:"]
WORDS += ["0", "1", "sentence:"]
CONFIG = {
    "vocab_size": 32,
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": 32,
    "init_std": 0.15,  # with 0.02 so narrow a model takes long to look at the image
    "bos_token_id": 0,
    "pad_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
}
TASKS = (SmallColour, SmallTruth, SmallCaption)


class FakeEncoder:
    """Four tokens per image: its mean colour and three constants."""

    name, width, tokens, shape, fingerprint = "fake", 6, 4, (4, 6), "fake 1"
    calls = 0

    def encode(self, images: list[Image.Image]) -> Tensor:
        self.calls += 1
        colours = torch.tensor(np.array([np.asarray(image).mean((0, 1)) / 255 for image in images]))
        constants = torch.tensor([0.5, -0.5, 1.0]).expand(len(images), -1)
        return torch.cat([colours, constants], 1).float()[:, None].expand(-1, 4, -1)

    def to(self, _device: torch.device) -> FakeEncoder:
        return self


class Everything(Method):
    """Trains all of the language model."""

    name = "everything"
    title = "Everything"
    learning_rate: float = 3e-3

    def attach(self, model, context):
        unfreeze(model, "")


def raw_tokenizer() -> Tokenizer:
    words = [*SPECIAL, *WORDS]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def tokenizer() -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=raw_tokenizer(),
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
    )


def model(dropout: float = 0.0) -> JointBart:
    config = BartConfig(**CONFIG, dropout=dropout)
    return JointBart(BartForConditionalGeneration(config), FakeEncoder.width, {"no_repeat_ngram_size": 0})


def bench(method: Method | None = None, dropout: float = 0.0) -> Workbench:
    """The tiny model with a method attached; the same numbers at every call."""
    seed_everything(0)
    method = method or Everything()
    context = TaskContext(tuple(task.name for task in TASKS))
    joint = model(dropout)
    method.attach(joint, context)
    return Workbench(joint.eval(), tokenizer(), method, context, torch.device("cpu"))


def data(folder: Path, task_type: type, role: Role = "train", **settings: object) -> TaskData:
    task = task_type()
    store = Store(folder)
    examples = task.examples(role)
    texts = TextStore(store, tokenizer(), 32).open(task, task.fingerprint(), role, examples, task.prefix)
    found = features(store, FakeEncoder(), task.images(role))
    return TaskData(task, task.fingerprint(), role, examples, texts, found, 1, **settings)


def mixture(folder: Path, batch_size: int = 8, seed: int = 0) -> Mixture:
    return Mixture([data(folder, task) for task in TASKS], batch_size, seed)


def write_checkpoint(folder: Path) -> None:
    """The tiny model as an embedded backbone lies on disk."""
    seed_everything(0)
    once = {tensor.data_ptr(): (name, tensor) for name, tensor in model().state_dict().items()}
    save_file(dict(once.values()), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    raw_tokenizer().save(str(folder / "tokenizer.json"))
