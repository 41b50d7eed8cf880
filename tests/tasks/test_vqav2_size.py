"""What a question of VQA v2 costs to read, so that 658,111 of them take seconds and less than 2 GB.

At their full number: tests/benchmarks/test_papers_data.py.
"""

import gc
import time
import tracemalloc
from pathlib import Path

import pytest
from synthetic_files import write_coco, write_vqav2

from tasks.vqav2 import Vqav2

FULL = 658_111
SECONDS, BYTES = 120, 2e9  # of processor time, at the full number; measured beside ten busy processes: 36 s, 0.9 GB
SPLITS = {"train": 800, "restval": 100, "val": 50, "test": 50}
QUESTIONS = 6  # per photo


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("vqav2")
    write_coco(data, SPLITS)
    write_vqav2(data, SPLITS, QUESTIONS)
    return data


def read(folder: Path) -> Vqav2:
    task = Vqav2(folder)
    assert len(task.records("train")) == QUESTIONS * (SPLITS["train"] + SPLITS["restval"])
    return task


def test_questions_are_read_in_microseconds(folder: Path) -> None:
    before = time.process_time()
    read(folder)
    seconds = (time.process_time() - before) / (QUESTIONS * sum(SPLITS.values())) * FULL
    assert seconds < SECONDS, f"{seconds:.0f} s for all"


def test_questions_take_little_memory_at_any_time(folder: Path) -> None:
    read(folder)  # what is made once is not counted
    gc.collect()
    tracemalloc.start()
    try:
        task = read(folder)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert task.records("train")
    needed = peak / (QUESTIONS * sum(SPLITS.values())) * FULL
    assert needed < BYTES, f"{needed / 1e9:.2f} GB for all"
