"""Batches: what is in them, how they are padded, drawn, ordered and mixed."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_tasks import COUNTS, SmallCaption, SmallColour, SmallTruth
from small_world import data, mixture, tokenizer

from harness.data import IGNORED
from harness.store import Store
from harness.texts import TextStore, scored_targets
from tasks import DataError, Example

CPU = torch.device("cpu")


def whole(task_data, seed=0, epoch=0):
    return task_data.batch(np.arange(len(task_data)), task_data.draw(seed, epoch))


def test_a_batch_is_padded_to_its_longest_member(tmp_path):
    batch = whole(data(tmp_path, SmallColour)).to(CPU)
    assert batch.ids.shape == (24, 8)  # <s> ask: what×4 colour </s>
    assert batch.mask.sum(1)[:4].tolist() == [5, 6, 7, 8]
    assert (batch.ids[batch.mask == 0] == tokenizer().pad_token_id).all()
    assert tokenizer().decode(batch.ids[1], skip_special_tokens=True) == "ask: what what colour"
    assert batch.features.dtype == torch.float32
    assert batch.features.shape == (24, 1, 4, 6)
    assert batch.tokens == int(batch.mask.sum()) + 24 * 3 + 24 * 4


def test_labels_are_padded_with_what_the_loss_ignores(tmp_path):
    batch = whole(data(tmp_path, SmallCaption))
    lengths = (batch.labels != IGNORED).sum(1)
    assert set(lengths.tolist()) == {3, 5}  # <s> red </s>, <s> a red image </s>
    assert (batch.labels[:, 0] == tokenizer().bos_token_id).all()


def test_two_images_are_kept_in_order(tmp_path):
    task_data = data(tmp_path, SmallTruth)
    batch = whole(task_data)
    assert batch.features.shape == (24, 2, 4, 6)
    assert batch.features[1, 0, 0, :3].tolist() == [0, 1, 0]
    assert batch.features[1, 1, 0, :3].tolist() == [0, 0, 1]


def test_texts_are_cut_at_the_smaller_limit(tmp_path):
    task = SmallColour()
    examples = task.examples("train")
    store = TextStore(Store(tmp_path), tokenizer(), longest=6)
    texts = store.open(task, "1", "train", examples, "ask: ")
    assert texts.inputs.lengths.max() == 6
    assert texts.inputs.values[texts.inputs.offsets[4] - 1] == tokenizer().eos_token_id


def test_without_the_question_only_the_prefix_is_read(tmp_path):
    task = SmallColour()
    store = TextStore(Store(tmp_path), tokenizer())
    shown = store.open(task, "1", "train", task.examples("train"), "ask: ")
    blind = store.open(task, "1", "train", task.examples("train"), "ask: ", "nothing")
    assert shown.inputs.lengths.max() == 8
    assert set(blind.inputs.lengths) == {3}


def test_subtitles_come_before_the_question_and_can_be_left_out(tmp_path):
    task = SmallColour()
    examples = [replace(example, subtitles="blue image") for example in task.examples("train")]
    store = TextStore(Store(tmp_path), tokenizer())
    read = {shown: store.open(task, "1", "train", examples, "ask: ", shown).inputs for shown in ("all", "question")}
    words = {shown: tokenizer().decode(texts.values[: texts.offsets[1]]) for shown, texts in read.items()}
    assert words == {"all": "<s> ask: <unk> blue image what colour </s>", "question": "<s> ask: what colour </s>"}


def test_a_prefix_may_come_last_and_is_never_alone_with_a_space(tmp_path, monkeypatch):
    task = SmallColour()
    monkeypatch.setattr(SmallColour, "prefix_place", "after")
    store = TextStore(Store(tmp_path), tokenizer())
    first = [replace(task.examples("train")[0], subtitles="blue image")]

    def read(prefix, shown):
        texts = store.open(task, "1", "train", first, prefix, shown).inputs
        return tokenizer().decode(texts.values, skip_special_tokens=False)

    assert read("ask:", "all") == "<s> <unk> blue image what colour ask: </s>"
    assert read("ask:", "nothing") == "<s> ask: </s>"
    assert read("", "question") == "<s> what colour </s>"


def test_without_the_image_features_are_zero(tmp_path):
    assert not whole(data(tmp_path, SmallColour, image_blind=True)).features.any()
    assert whole(data(tmp_path, SmallColour)).features.any()


def test_targets_are_drawn_by_weight(tmp_path):
    task_data = data(tmp_path, SmallCaption)
    drawn = np.concatenate([task_data.draw(0, epoch) - task_data.texts.first[:-1] for epoch in range(200)])
    assert set(drawn) == {0, 1}
    assert drawn.mean() == pytest.approx(0.25, abs=0.03)  # weights 3 and 1


def test_a_draw_depends_on_seed_and_epoch_alone(tmp_path):
    task_data = data(tmp_path, SmallCaption)
    assert (task_data.draw(1, 2) == task_data.draw(1, 2)).all()
    assert (task_data.draw(1, 2) != task_data.draw(1, 3)).any()
    assert (task_data.draw(1, 2) != task_data.draw(2, 2)).any()


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        (Example("1", "", (), ("yes", "no"), (0.3, 0.6)), [("yes", 0.3), ("no", 0.6)]),
        (Example("1", "", (), ("yes",), (0.0,)), [("", 0.0)]),
        (Example("1", "", ()), [("", 0.0)]),
        (Example("1", "", (), ("yes", "no")), [("yes", 1.0), ("no", 1.0)]),
    ],
    ids=["scored", "all scores zero", "no target", "no weights"],
)
def test_targets_with_weights(example, expected):
    assert scored_targets(example) == expected


def test_targets_and_weights_must_fit():
    with pytest.raises(DataError, match=r"'7'.*2 targets but 1 weight"):
        scored_targets(Example("7", "", (), ("yes", "no"), (1.0,)))


def test_every_seed_and_epoch_reads_every_example_once_in_an_order_of_its_own(tmp_path):
    task_data = data(tmp_path, SmallColour)
    orders = [task_data.training_order(5, seed, epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0))]
    for order in orders:
        assert sorted(np.concatenate(order)) == list(range(24))
        assert sorted(map(len, order)) == [4, 5, 5, 5, 5]
    first, *others, again = [[list(batch) for batch in order] for order in orders]
    assert first == again
    assert first not in others


def test_batches_hold_texts_of_like_length(tmp_path):
    task_data = data(tmp_path, SmallColour)
    padding = sum(
        float((task_data.batch(indices, task_data.texts.first[indices]).mask == 0).sum())
        for indices in task_data.training_order(6, 0, 0)
    )
    assert padding == 0  # 24 texts of four lengths, six of each


def test_the_mixture_is_the_papers(tmp_path):
    mixed = mixture(tmp_path, batch_size=8)
    assert mixed.sizes == {"small-colour": 8, "small-truth": 4, "small-caption": 8}
    assert mixed.steps_per_epoch == 3 + 6 + 3
    names = ["small-colour"] * 3 + ["small-truth"] * 6 + ["small-caption"] * 3
    random.Random(5).shuffle(names)
    assert [batch.task for batch in mixed.epoch(5)] == names[::-1]


def test_a_seed_changes_targets_and_the_order_of_examples_but_not_that_of_tasks(tmp_path):
    one, other = (mixture(tmp_path, seed=seed) for seed in (1, 2))
    assert [batch.task for batch in one.epoch(0)] == [batch.task for batch in other.epoch(0)]
    assert any((a.indices != b.indices).any() for a, b in zip(one.epoch(0), other.epoch(0), strict=True))
    assert any((one.tasks[name].draw(1, 0) != other.tasks[name].draw(2, 0)).any() for name in one.tasks)


def test_a_batch_has_at_least_one_example(tmp_path):
    assert mixture(tmp_path, batch_size=1).sizes["small-truth"] == 1


def test_a_limit_keeps_the_same_examples_with_their_own_text_images_and_targets(tmp_path):
    task_data = data(tmp_path, SmallColour, limit=6)
    kept = [int(example.id) for example in task_data.examples]
    assert len(kept) == 6
    assert kept == sorted(kept) == [int(example.id) for example in data(tmp_path, SmallColour, limit=6).examples]
    batch = whole(task_data)
    for row, number in enumerate(kept):
        assert int(batch.mask[row].sum()) == 5 + number % 4
        word = tokenizer().decode(batch.labels[row][:3], skip_special_tokens=True)
        assert word == ("red", "green", "blue")[number % 3]
        assert int(batch.features[row, 0, 0, :3].argmax()) == number % 3
    assert len(data(tmp_path, SmallColour, limit=1000)) == COUNTS["train"]


def test_evaluation_reads_everything_longest_first(tmp_path):
    task_data = data(tmp_path, SmallColour)
    batches = list(task_data.in_order_of_length(10))
    assert Counter(np.concatenate([batch.indices for batch in batches]).tolist()) == Counter(range(24))
    lengths = [length for batch in batches for length in batch.mask.sum(1).tolist()]
    assert lengths == sorted(lengths, reverse=True)


def test_an_unequal_number_of_images_is_refused(tmp_path):
    class Odd(SmallColour):
        def examples(self, role):
            return [Example("1", "", ("1",)), Example("2", "", ("1", "2"))]

    with pytest.raises(DataError, match=r"small-colour.*\[1, 2\] images"):
        data(tmp_path, Odd)


def test_an_empty_split_is_refused(tmp_path):
    class Empty(SmallColour):
        def examples(self, role):
            return []

    with pytest.raises(DataError, match=r"small-colour.*learn.*no example"):
        data(tmp_path, Empty)
