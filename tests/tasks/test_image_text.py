"""The papers' four image-text tasks: what VL-Adapter's code does with each (facts of its trainers and loaders)."""

from pathlib import Path

import pytest

from tasks.coco_caption import CocoCaption
from tasks.gqa import Gqa
from tasks.nlvr2 import Nlvr2
from tasks.suites import NAMED
from tasks.vqav2 import Vqav2

# Prefix, tokens of the text and of a target at most, loss, beams, tokens generated at most.
PUBLISHED = {
    Vqav2: ("vqa: ", 20, 10, "weighted-example", 1, 20),
    Gqa: ("gpa: ", 20, None, "example", 1, 20),
    Nlvr2: ("nlvr: ", None, None, "example", None, None),
    CocoCaption: ("caption: ", 40, 40, "token", 5, 20),
}
SIXTIETHS = {Vqav2: 60, Gqa: 100, Nlvr2: 20, CocoCaption: 50}  # of the batch size


def test_the_suite_holds_them_in_the_papers_order():
    (suite,) = [suite for suite in NAMED if suite.name == "image-text"]
    assert suite.tasks == tuple(task.name for task in PUBLISHED) and suite.kind == "image-text"


@pytest.mark.parametrize("task", PUBLISHED, ids=lambda task: task.name)
def test_texts_targets_and_decoding_are_the_published_ones(task):
    prefix, text, target, loss, beams, longest = PUBLISHED[task]
    assert (task.published_prefix or task.prefix) == prefix
    assert (task.text_limit, task.target_limit, task.loss) == (text, target, loss)
    if beams is None:
        assert task.decoding.choices == ("true", "false")
    else:
        assert (task.decoding.beams, task.decoding.max_length, task.decoding.choices) == (beams, longest, ())


def test_the_usual_prefix_of_gqa_is_spelt_right():
    assert Gqa.prefix == "gqa: "


@pytest.mark.parametrize("task", SIXTIETHS, ids=lambda task: task.name)
def test_batches_have_the_published_sizes(task):
    for size in range(1, 1001):  # 500 for VL-BART, 300 for VL-T5
        assert int(size * task.batch_share) == size * SIXTIETHS[task] // 60


def test_the_documentation_names_every_file_and_folder():
    text = (Path(__file__).parents[2] / "docs" / "papers-data.md").read_text("utf-8")
    for task in PUBLISHED:
        for name in (*task.required, *task.photo_folders):
            assert name.rpartition("/")[2] in text, name
        assert f"`{task.name}`" in text
