"""Reading VQA v2 at its full size: 658,111 questions about 123,287 photos, 605,000 of them Karpathy's train."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tasks"))

from synthetic_files import write_coco, write_vqav2

ROOT = Path(__file__).parents[2]
SPLITS = {"train": 82_783, "restval": 30_504, "val": 5_000, "test": 5_000}
QUESTIONS = 6  # per photo: a little more than there are
SECONDS, GIGABYTES = 60.0, 2.0  # of processor time; measured: 25 s and 0.9 GB, beside five busy processes on two cores
READ = """
import sys
from pathlib import Path
from tasks.vqav2 import Vqav2
task = Vqav2(Path(sys.argv[1]))
assert task.missing() is None
print(len(task.examples("train")), task.fingerprint())
"""


def test_all_training_questions_are_read_in_seconds(benchmark, tmp_path: Path) -> None:
    if not benchmark.enabled:
        pytest.skip("a benchmark only: it writes files of 700 MB")
    write_coco(tmp_path, SPLITS)
    write_vqav2(tmp_path, SPLITS, QUESTIONS)

    def read() -> str:
        command = [sys.executable, "-c", READ, str(tmp_path)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = benchmark.pedantic(read, rounds=1, warmup_rounds=0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    count = QUESTIONS * (SPLITS["train"] + SPLITS["restval"])
    seconds, gigabytes = after.ru_utime - before.ru_utime, after.ru_maxrss / 1e6
    benchmark.extra_info.update(processor_seconds=seconds, gigabytes=gigabytes)
    assert said.startswith(f"{count} ")
    assert seconds < SECONDS, f"{seconds:.0f} s of processor time"
    assert gigabytes < GIGABYTES, f"{gigabytes:.2f} GB"
