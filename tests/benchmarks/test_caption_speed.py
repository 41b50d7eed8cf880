"""Tokenising and CIDEr of 2,000 images against the official pipeline with its Java tokeniser, in one run."""

from __future__ import annotations

import random
import shutil
import time

import pytest
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

from tasks.metrics.cider import cider

IMAGES = 2_000
FASTER = 5.0
THINGS = ("dog", "man", "woman's hat", "t-shirt", "plate of food", "bus", "cat", "kite", "surfboard", "giraffe")
DOINGS = ("runs", "isn't moving", "sits", "jumps", "is standing", "lies", "waits", "plays")
PLACES = ("on the grass", "in a park", "near a table", "at the beach", "behind an old, red car", "in the street")


def caption(draw: random.Random) -> str:
    first, second = draw.sample(THINGS, 2)
    return f"A {first} {draw.choice(DOINGS)} {draw.choice(PLACES)}, and a {second} {draw.choice(DOINGS)}."


def test_cider_is_many_times_as_fast_as_the_official_pipeline(benchmark) -> None:
    if not benchmark.enabled:
        pytest.skip("a benchmark only")
    if shutil.which("java") is None:
        pytest.skip("there is no java on the PATH, which the official pipeline needs")
    draw = random.Random(0)
    said = [caption(draw) for _ in range(IMAGES)]
    truth = [[caption(draw) for _ in range(5)] for _ in range(IMAGES)]
    start = time.perf_counter()
    by_image = PTBTokenizer().tokenize({i: [{"caption": text} for text in group] for i, group in enumerate(truth)})
    said_by_image = PTBTokenizer().tokenize({i: [{"caption": text}] for i, text in enumerate(said)})
    expected, expected_each = Cider().compute_score(by_image, said_by_image)
    official_seconds = time.perf_counter() - start
    value, each = benchmark.pedantic(cider, args=(said, truth), rounds=3)
    assert value == pytest.approx(expected, abs=1e-9)
    assert each == pytest.approx(list(expected_each), abs=1e-9)
    ratio = official_seconds / benchmark.stats.stats.median
    benchmark.extra_info["times as fast"] = ratio
    assert ratio > FASTER
