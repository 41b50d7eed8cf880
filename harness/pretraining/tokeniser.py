"""The embedded backbones' tokenizer: byte-level BPE over the world's words and ordinary English.

Bytes are the smallest units, so no text has unknown tokens. The shipped file was trained on the generated world and
on English questions and captions of VQA v2 and COCO (both CC BY 4.0); the training record names the files.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from harness.errors import UserError
from harness.features import CLIP_TOKENS
from harness.pretraining.language import account
from tasks.mini import clips
from tasks.mini.clip_exercises import describe_clip
from tasks.mini.clip_words import FOODS, LABELS, PEOPLE
from tasks.mini.words import ask
from tasks.mini.world import pool
from tasks.mini_gqa import ASKERS as GQA
from tasks.mini_how2qa import MiniHow2qa
from tasks.mini_nlvr import STATEMENTS
from tasks.mini_tvc import MiniTvc
from tasks.mini_tvqa import MiniTvqa
from tasks.mini_vqa import ASKERS as VQA
from tasks.mini_yc2c import MiniYc2c

VOCABULARY = 4096
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
MARKS = (
    "[subs]",
    "[q]",
    "[ts]",
    "[choices]",
    *(f"{label}:" for label in LABELS),
)  # one token each, as in VALUE's texts
COMMON = (
    *("vqa:", "gqa:", "nlvr:", "caption:", "describe:", "fill:", "match:", "true", "false", "nothing"),
    *("tvqa:", "how2qa:", "tvc:", "yc2c:", *PEOPLE, *FOODS, *LABELS),
    *("violet", "rhombus", "middle", "picture", "one of them is", "there are", "and more", "other shapes"),
)


def train_tokenizer(english: Iterable[str]) -> Tokenizer:
    """Train on the world's sentences and on the given English ones.

    The last ids are <vis_extra_id_63> … <vis_extra_id_0>, the order rows of visual tokens: a clip has 64.
    """
    visual = [f"<vis_extra_id_{j}>" for j in reversed(range(CLIP_TOKENS))]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    # The leading space makes a word the same token at the start of an answer and inside a question.
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(visual) - len(MARKS),
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_sentences(english), trainer)
    tokenizer.add_tokens([AddedToken(mark, lstrip=True, normalized=True) for mark in MARKS])
    tokenizer.add_special_tokens(visual)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> $B </s>",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("<s>", "</s>")],
    )
    return tokenizer


def _sentences(english: Iterable[str]) -> Iterator[str]:
    yield from COMMON * 100
    for index, scene in enumerate(pool("pretraining", 4000)):
        generator = random.Random(f"tokenizer/{index}")
        yield account(scene)
        for question in (ask(scene, generator, VQA), ask(scene, generator, GQA)):
            yield f"{question.text} {question.answer}"
        for kind in sorted(STATEMENTS):
            yield STATEMENTS[kind](generator)[0]
    for index, clip in enumerate(clips.pool("pretraining", 2000)):
        yield describe_clip(clip)
        for task in (MiniTvqa(), MiniHow2qa(), MiniTvc(), MiniYc2c()):
            example = task.example(f"{index}", clip, random.Random(f"tokenizer/{task.name}/{index}"))
            yield " ".join((task.prefix, example.whole_text, *example.targets))
    yield from english


def english_strings(path: Path) -> Iterator[str]:
    """Every question, answer and caption of a JSON file in the layout of VQA v2 or COCO, gzipped or not.

    Raises:
        UserError: it is not such a file.
    """
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        content = json.loads(raw)
        if not isinstance(content, dict):
            raise ValueError("it holds no object")
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable JSON file of questions or captions ({error})") from error
    for entry in content.get("questions", []):
        yield entry["question"]
    for entry in content.get("annotations", []):
        yield entry.get("caption") or entry.get("multiple_choice_answer", "")
