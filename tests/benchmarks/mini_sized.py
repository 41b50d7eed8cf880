"""Untrained models and data of the embedded backbone's size, so that speed can be measured without its weights."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import BartConfig, BartForConditionalGeneration, PreTrainedTokenizerFast

from harness.backbones import registry
from harness.backbones.bart import JointBart
from harness.data import Mixture, TaskData
from harness.features import features
from harness.plugins import find_methods, find_tasks
from harness.store import Store
from harness.texts import TextStore
from harness.workbench import Workbench, seed_everything
from methods import TaskContext

TASKS = ("mini-vqa", "mini-nlvr")
FEATURE_WIDTH, TOKENS = 128, 36
BATCH_SIZE = 64
LIMIT = 256  # examples per task


class RandomFeatures:
    """An image encoder that does not look: speed does not depend on what features say."""

    name, width, tokens, fingerprint = "random", FEATURE_WIDTH, TOKENS, "random 1"

    def encode(self, images: list) -> torch.Tensor:
        return torch.randn(len(images), self.tokens, self.width)


def tokenizer() -> PreTrainedTokenizerFast:
    """The embedded backbone's own."""
    return PreTrainedTokenizerFast(
        tokenizer_file=str(registry.EMBEDDED / "mini-bart" / "tokenizer.json"),
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
    )


def bench(method_name: str, vocabulary: int) -> Workbench:
    """A random backbone of mini-bart's size with a method attached; the same numbers at every call."""
    seed_everything(0)
    config = BartConfig(
        vocab_size=vocabulary,
        d_model=192,
        encoder_layers=3,
        decoder_layers=3,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=768,
        decoder_ffn_dim=768,
        max_position_embeddings=256,
    )
    model = JointBart(BartForConditionalGeneration(config), FEATURE_WIDTH)
    method = find_methods().get(method_name).configured("bart", "image-text", "mini-bart")
    context = TaskContext(TASKS)
    method.attach(model, context)
    return Workbench(model.train(), tokenizer(), method, context, torch.device("cpu"))


def mixture(folder: Path, words: PreTrainedTokenizerFast) -> Mixture:
    """A few embedded training examples of two tasks."""
    store = Store(folder)
    texts, made = TextStore(store, words), []
    for name in TASKS:
        task = find_tasks().get(name)()
        examples = task.examples("train")
        text = texts.open(task, task.fingerprint(), "train", examples, task.prefix)
        found = features(store, RandomFeatures(), task.images("train"))
        made.append(
            TaskData(task, task.fingerprint(), "train", examples, text, found, words.pad_token_id, limit=LIMIT)
        )
    return Mixture(made, BATCH_SIZE, seed=0)
