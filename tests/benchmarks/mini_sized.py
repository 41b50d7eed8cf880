"""Untrained models and data of the embedded backbone's size, so that speed can be measured without its weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from transformers import BartConfig, BartForConditionalGeneration, PreTrainedTokenizerFast

from harness.backbones.bart import JointBart
from harness.backbones.weights import EMBEDDED, TOKENIZER, load_tokenizer
from harness.data import Mixture, TaskData
from harness.features import Features
from harness.plugins import find_methods, find_tasks
from harness.store import Store
from harness.texts import TextStore
from harness.workbench import Workbench, make_reproducible, seed_everything
from methods import TaskContext

TASKS = ("mini-vqa", "mini-nlvr")
WIDTH, TOKENS = 128, 36  # of the backbone and of a feature; visual tokens per image
BATCH_SIZE = 32
EXAMPLES = 160  # per task


def tokenizer() -> PreTrainedTokenizerFast:
    """The embedded backbone's own."""
    return load_tokenizer(EMBEDDED / "mini-bart" / TOKENIZER)


def bench(method_name: str, vocabulary: int) -> Workbench:
    """A random backbone of mini-bart's size with a method attached; the same numbers at every call."""
    make_reproducible(1, torch.device("cpu"))
    seed_everything(0)
    config = BartConfig(
        vocab_size=vocabulary,
        d_model=WIDTH,
        encoder_layers=3,
        decoder_layers=3,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=4 * WIDTH,
        decoder_ffn_dim=4 * WIDTH,
        max_position_embeddings=256,
    )
    model = JointBart(BartForConditionalGeneration(config), WIDTH)
    method = find_methods().get(method_name).configured("bart", "image-text", "mini-bart")
    context = TaskContext(TASKS)
    method.attach(model, context)
    return Workbench(model.train(), tokenizer(), method, context, torch.device("cpu"))


def mixture(folder: Path, words: PreTrainedTokenizerFast) -> Mixture:
    """Embedded training examples of two tasks, with random features: speed does not depend on what they say."""
    texts, made = TextStore(Store(folder), words), []
    for name in TASKS:
        task = find_tasks().get(name)()
        examples = task.examples("train")[:EXAMPLES]
        text = texts.open(task, "first examples", "train", examples, task.prefix)
        ids = sorted({image for example in examples for image in example.images})
        rows = np.random.default_rng(0).normal(size=(len(ids), TOKENS, WIDTH)).astype(np.float16)
        found = Features(rows, {image: row for row, image in enumerate(ids)}, "random", TOKENS)
        made.append(TaskData(task, "first examples", "train", examples, text, found, words.pad_token_id))
    return Mixture(made, BATCH_SIZE, seed=0)
