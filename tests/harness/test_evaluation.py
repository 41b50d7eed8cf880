"""Predictions: choices, generation, their order; and the score's record."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from small_tasks import SmallCaption, SmallColour, SmallTruth
from small_world import bench, data, mixture, tokenizer

from harness.cells import Settings
from harness.evaluation import choice_tokens, evaluate, mean_value, predict, predictions_frame, score, stored_floors
from harness.store import Store
from harness.training import Hooks, train
from tasks import DataError, Decoding, Metric


def prefer(work, token):
    """Make the model emit a token whatever it reads."""
    work.model.lm.final_logits_bias[0, token] = 100


def test_choices_are_compared_by_their_first_own_token():
    prompt, own = choice_tokens(tokenizer(), ("true", "false"), "small-truth")
    assert tokenizer().convert_ids_to_tokens(prompt) == ["<s>"]
    assert tokenizer().convert_ids_to_tokens(own) == ["true", "false"]


def test_the_tokens_that_choices_share_are_given_to_the_decoder():
    prompt, own = choice_tokens(tokenizer(), ("a red image", "a blue", "a green image"), "small-truth")
    assert tokenizer().convert_ids_to_tokens(prompt) == ["<s>", "a"]
    assert tokenizer().convert_ids_to_tokens(own) == ["red", "blue", "green"]


@pytest.mark.parametrize("choices", [("a red", "a red image"), ("red", "blue image", "blue"), ("true", "true")])
def test_choices_that_one_token_cannot_tell_apart_are_refused(choices):
    with pytest.raises(DataError, match=r"small-truth.*do not differ in one token"):
        choice_tokens(tokenizer(), choices, "small-truth")


@pytest.mark.parametrize("choice", ["true", "false"])
def test_the_likelier_choice_wins_over_any_other_word(tmp_path, choice):
    work = bench()
    prefer(work, tokenizer().convert_tokens_to_ids("image"))
    work.model.lm.final_logits_bias[0, tokenizer().convert_tokens_to_ids(choice)] = 50
    assert predict(work, data(tmp_path, SmallTruth), 10) == [choice] * 24


def test_equally_likely_choices_mean_the_last(tmp_path):
    work = bench()
    for choice in ("true", "false"):
        work.model.lm.model.shared.weight.data[tokenizer().convert_tokens_to_ids(choice)] = 0
    assert predict(work, data(tmp_path, SmallTruth), 10) == ["false"] * 24


def test_choices_are_compared_in_full_precision_under_autocast(tmp_path):
    work = dataclasses.replace(bench(), dtype=torch.bfloat16)
    true, false = tokenizer().convert_tokens_to_ids(["true", "false"])
    table = work.model.lm.model.shared.weight.data
    table[true] = 1.0001 * table[false]  # the same number in bfloat16
    batch = next(data(tmp_path, SmallTruth).in_order_of_length(10)).to(work.device)
    with torch.inference_mode(), work.autocast():
        logits = work.model.next_token_logits(batch.ids, batch.mask, batch.features, torch.tensor([[2, 0]] * 10))
    assert (logits[:, true] / logits[:, false]).tolist() == pytest.approx([1.0001] * 10, abs=2e-5)


def test_choices_are_asked_after_the_papers_decoder_prompt(tmp_path):
    work, asked = bench(), []
    work.model.lm.get_decoder().register_forward_pre_hook(
        lambda _module, _args, named: asked.append(named["input_ids"]), with_kwargs=True
    )
    predict(work, data(tmp_path, SmallTruth, limit=2), 2)
    assert asked[0].tolist() == [[2, 0], [2, 0]]  # </s> <s>


@pytest.fixture(scope="module")
def skilled(tmp_path_factory):
    """A model that has learned something, so that its answers differ."""
    work = bench()
    settings = Settings(epochs=15, precision="float32")
    train(work, mixture(tmp_path_factory.mktemp("cache"), batch_size=6), settings, Hooks())
    return work


@pytest.mark.parametrize("task", [SmallColour, SmallTruth, SmallCaption])
def test_batches_do_not_change_answers_nor_their_order(tmp_path, skilled, task):
    task_data = data(tmp_path, task)
    alone = predict(skilled, task_data, 1)
    assert len(set(alone)) > 1
    assert predict(skilled, task_data, 7) == alone


def test_generation_follows_the_tasks_decoding(tmp_path):
    work, calls = bench(), []
    generate = work.model.generate
    work.model.generate = lambda *args: calls.append(args[3:]) or generate(*args)
    predict(work, data(tmp_path, SmallCaption, limit=2), 2)
    predict(work, data(tmp_path, SmallColour, limit=2), 2)
    assert calls == [(3, 8, 0), (1, 20, None)]


def test_answers_are_bare_text_of_limited_length(tmp_path):
    work = bench()
    prefer(work, tokenizer().convert_tokens_to_ids("red"))
    assert predict(work, data(tmp_path, SmallCaption, limit=1), 1) == [" ".join(["red"] * 6)]  # start and end token


def test_the_task_is_named_while_answering(tmp_path):
    work, seen = bench(), []
    work.model.visual.register_forward_pre_hook(lambda *_: seen.append(work.context.task))
    predict(work, data(tmp_path, SmallCaption, limit=1), 1)
    assert seen == ["small-caption"]


def test_progress_counts_examples(tmp_path):
    told = []
    predict(bench(), data(tmp_path, SmallTruth), 10, told.append)
    assert told == [10, 20, 24]


def test_the_score_tells_splits_clusters_and_floors(tmp_path):
    evaluated = evaluate(bench(), data(tmp_path, SmallColour, "report"), 10)
    record = score(evaluated, {"majority": 1 / 3, "question-only": None}, 0.5, limited=False)
    assert record.value == mean_value([evaluated]) == sum(evaluated.scored.per_example) / 9
    assert (record.split, record.select_split, record.metric) == ("publish", "choose", "accuracy")
    assert (record.examples, record.clusters, record.select_value) == (9, 9, 0.5)
    assert record.comparable
    assert record.floors["majority"] == pytest.approx(1 / 3)


def test_limited_scores_and_cider_of_one_image_do_not_compare(tmp_path):
    class Cider(SmallCaption):
        @property
        def card(self):
            return super().card.model_copy(update={"metric": Metric(name="cider", title="CIDEr", version="1")})

    assert not score(evaluate(bench(), data(tmp_path, SmallColour), 10), {}, None, limited=True).comparable
    assert not score(evaluate(bench(), data(tmp_path, Cider, limit=1), 10), {}, None, limited=False).comparable
    assert score(evaluate(bench(), data(tmp_path, Cider), 10), {}, None, limited=False).comparable


def test_floors_are_computed_once(tmp_path, monkeypatch):
    first = stored_floors(Store(tmp_path), data(tmp_path, SmallColour, "report"))
    assert first["majority"] == pytest.approx(1 / 3)
    monkeypatch.setattr("harness.evaluation.floors", lambda *_: pytest.fail("computed twice"))
    assert stored_floors(Store(tmp_path), data(tmp_path, SmallColour, "report")) == first


def test_floors_are_those_of_the_examples_that_are_scored(tmp_path):
    limited = data(tmp_path, SmallColour, "report", limit=2)
    blue = sum(example.references == ("blue",) for example in limited.examples) / 2
    assert stored_floors(Store(tmp_path), data(tmp_path, SmallColour, "report"))["majority"] == pytest.approx(1 / 3)
    assert stored_floors(Store(tmp_path), limited)["majority"] == blue != pytest.approx(1 / 3)


def test_predictions_are_kept_per_example(tmp_path):
    frame = predictions_frame(
        [evaluate(bench(), data(tmp_path, task, "report"), 4) for task in (SmallTruth, SmallCaption)]
    )
    identity, content = ["task", "id", "cluster", "kind"], ["text", "images", "prediction", "score", "references"]
    assert list(frame.columns) == identity + content
    assert len(frame) == 18
    row = frame.iloc[1]
    assert (row["task"], row["id"], row["text"], row["images"]) == ("small-truth", "1", "same colour", "1|2")
    assert frame.iloc[9]["references"] == ["a red image", "red"]


def test_answering_needs_no_gradients(tmp_path):
    work = bench()
    predict(work, data(tmp_path, SmallColour, limit=2), 2)
    assert all(parameter.grad is None for parameter in work.model.parameters())
    assert torch.is_grad_enabled()


def test_decoding_defaults_are_the_papers():
    assert Decoding() == Decoding(beams=1, max_length=20, choices=())
