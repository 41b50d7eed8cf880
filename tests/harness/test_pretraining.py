"""Pre-training: what it keeps out, resuming, and what it ships."""

import json
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from harness.backbones.vision import EMBEDDED
from harness.cli.program import invoke
from harness.errors import UserError
from harness.pretraining import run, stages
from harness.pretraining.image import ImageStage, near_double
from harness.pretraining.language import (
    FACTS,
    KINDS,
    RELATIONAL_KINDS,
    account,
    answer,
    caption,
    complete,
    hide,
    listen,
    look_up,
    match,
    relate,
)
from harness.pretraining.stages import BoxStage, JointStage, LanguageStage, ViewStage
from tasks.mini.words import SIZE_WORDS, THINGS, place
from tasks.mini.world import part_of, pool, sample
from tasks.mini_caption import PLAIN, STYLES
from tasks.mini_gqa import ASKERS as GQA
from tasks.mini_vqa import ASKERS as VQA

TOKENIZER = EMBEDDED / "mini-bart" / "tokenizer.json"
RECIPE = {"seed": 0, "precision": "float32"}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    for stage in (ImageStage, LanguageStage, JointStage, BoxStage, ViewStage):
        monkeypatch.setattr(stage, "batch_size", 6)
        monkeypatch.setattr(stage, "steps", 4)
        monkeypatch.setattr(stage, "held_out_batches", 1)
    monkeypatch.setattr(stages, "SCENES", 40)
    monkeypatch.setattr(stages, "CLIPS", 10)
    monkeypatch.setattr(stages, "BOXES", 10)
    monkeypatch.setattr(stages, "VIEWS", 10)
    monkeypatch.setattr(run, "EVERY", 2)


def test_question_types_are_left_to_the_tasks() -> None:
    assert not {"count", "variety"} & set(KINDS)
    assert set(KINDS) < set(VQA)
    assert not {"related", "two steps", "extreme", "compare", "logic"} & set(RELATIONAL_KINDS)
    assert set(RELATIONAL_KINDS) < set(GQA)
    assert not set(PLAIN) & set(STYLES)


def test_every_form_of_answer_is_learnt() -> None:
    generator = random.Random(4)
    scenes = pool("pretraining", 300)
    assert {"0", "1", "2", "yes", "no", "above left", "below"} <= {relate(each, generator).answer for each in scenes}
    assert any(" and " in caption(each, generator).answer for each in scenes)


SIZES = {word: size for size, words in SIZE_WORDS.items() for word in words}


def test_subtitles_say_which_item_is_meant() -> None:
    generator = random.Random(5)
    for scene in pool("pretraining", 100):
        question = listen(scene, generator)
        assert re.match(r"vqa: \[Subs\] \w+: watch the .*! \[Q\] ", question.text)
        meant = re.search(r"watch the (.*)!", question.text)
        attribute = re.search(r"what (\w+) is it", question.text)
        assert meant
        words = [SIZES.get(word, word) for word in meant[1].split()]
        (item,) = [
            item for item in scene.items if all(word in (item.size, item.colour, item.shape, *THINGS) for word in words)
        ]
        assert question.answer == (getattr(item, attribute[1]) if attribute else place(item))
        if "[Choices]" in question.text:
            assert re.search(rf"a\d: {question.answer}\.", question.text)


def test_english_is_read_at_its_turn_and_never_held_out() -> None:
    texts = ["a man rides his bicycle past the old house"]
    stage = LanguageStage(run.load_tokenizer(TOKENIZER), texts)
    for step in range(19):
        _, made = stage.batch(step, "pretraining")
        assert ([each.answer for each in made] == texts * stage.batch_size) == (step in (8, 17))
        assert not any(each.answer in texts for each in stage.batch(step, "validation")[1])


def test_a_description_names_every_item_once() -> None:
    for scene in pool("pretraining", 30):
        assert len(account(scene).split(", ")) == len(scene.items)


def test_looking_up_tells_the_item_or_nothing() -> None:
    generator = random.Random(0)
    answers = {look_up(scene, generator).answer == "nothing" for scene in pool("pretraining", 40)}
    assert answers == {True, False}
    assert answer(pool("pretraining", 1)[0], generator).kind in KINDS


def test_a_sentence_is_said_to_match_as_often_as_not_and_never_matches_wrongly() -> None:
    """Read from the sentence itself: places, which are the easiest to check."""
    generator = random.Random(3)
    made = [(scene, match(scene, generator)) for scene in pool("pretraining", 400)]
    true = sum(question.answer == "true" for _, question in made) / len(made)
    assert 0.4 < true < 0.6
    checked = 0
    for scene, question in made:
        for item in scene.items:
            said = f"match: the {item.size} {item.colour} {item.shape} is at the "
            if question.text.startswith(said):
                where = question.text.removeprefix(said)
                assert (f"{item.size} {item.colour} {item.shape} {where}" in account(scene).split(", ")) == (
                    question.answer == "true"
                )
                checked += 1
    assert checked > 10


def test_completing_gives_back_a_true_sentence() -> None:
    scene = pool("pretraining", 1)[0]
    truths = {fact(scene, random.Random(seed), True) for seed in range(4000) for fact in FACTS}
    for seed in range(20):
        question = complete(scene, random.Random(seed))
        assert "<mask>" in question.text
        assert question.answer in truths


def test_hiding_hides_something_and_keeps_the_length() -> None:
    text = "large red circle top left"
    hidden = hide(text, random.Random(1))
    assert "<mask>" in hidden
    assert len(hidden.split()) == len(text.split())


def test_near_doubles_differ_and_stay_in_their_part() -> None:
    generator = random.Random(2)
    for _ in range(50):
        scene = sample(generator, "pretraining")
        double = near_double(scene, generator, "pretraining")
        assert double != scene
        assert part_of(double) == "pretraining"


def test_a_killed_run_continues_to_the_same_weights(small: None, tmp_path: Path) -> None:
    def trained(work: Path, steps: tuple[int, ...]) -> dict[str, torch.Tensor]:
        for count in steps:
            torch.manual_seed(0)
            stage = LanguageStage(run.load_tokenizer(TOKENIZER))
            record = run.train(stage, count, work, "cpu", RECIPE, report=lambda line: None, total=4)
        assert [step for step, _ in record["losses"]] == [2, 4]
        return stage.model.state_dict()

    straight, continued = trained(tmp_path / "a", (4,)), trained(tmp_path / "b", (2, 4))
    assert all(torch.equal(straight[name], continued[name]) for name in straight)


def test_training_gives_way_at_every_step(small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Watched:
        @contextmanager
        def shared(self) -> Iterator[None]:
            told.append("enters")
            yield
            told.append("leaves")

        def give_way(self) -> None:
            told.append("gives way")

    monkeypatch.setattr(run, "Machine", Watched)
    stage = LanguageStage(run.load_tokenizer(TOKENIZER))
    run.train(stage, 2, tmp_path, "cpu", RECIPE, report=lambda line: None)
    assert told == ["enters", "gives way", "gives way", "leaves"]


def test_the_command_writes_all_files_and_resumes(small: None, tmp_path: Path) -> None:
    lines: list[str] = []
    for _ in range(2):
        run.pretrain(tmp_path / "out", tmp_path / "work", report=lines.append)
    record = json.loads((tmp_path / "out" / "training_record.json").read_text())
    assert set(record["stages"]) == {"image", "language", "joint", "boxes", "views"}
    for name in ("mini-clip", "mini-bart", "mini-bart-text"):
        assert (tmp_path / "out" / name / "model.safetensors").is_file()
    assert sum("step 4/4" in line for line in lines) == len(
        record["stages"]
    )  # the second run had nothing left to train


def test_a_broken_checkpoint_is_named(small: None, tmp_path: Path) -> None:
    place = tmp_path / "work" / "image" / "checkpoint.safetensors"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match=r"checkpoint\.safetensors.*delete it to start anew"):
        run.pretrain(tmp_path / "out", tmp_path / "work")


def test_a_checkpoint_of_another_seed_is_refused(small: None, tmp_path: Path) -> None:
    run.pretrain(tmp_path / "out", tmp_path / "work")
    with pytest.raises(UserError, match="with another seed; delete it or choose another --work"):
        run.pretrain(tmp_path / "out", tmp_path / "work", seed=1)


@pytest.mark.parametrize("content", ["[1]", "not JSON"])
def test_a_file_without_english_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "english.json"
    file.write_text(content)
    with pytest.raises(UserError, match=r"english\.json: not a readable JSON file"):
        run.pretrain(tmp_path / "out", tmp_path / "work", [file])


def test_trying_the_command_out_leaves_the_shipped_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["pretrain", "--steps-share", "0.001"]) == 2
    assert "give --output" in capsys.readouterr().err


def test_the_shipped_files_are_small_and_ordinary_english_has_no_unknown_tokens() -> None:
    size = sum(path.stat().st_size for path in EMBEDDED.rglob("*") if path.is_file())
    assert size <= 30e6
    tokenizer = run.load_tokenizer(TOKENIZER)
    sentence = "a man in a yellow jacket rides his bicycle past the old café on 5th street"
    ids = tokenizer(sentence)["input_ids"]
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == sentence
    assert len(ids) < 2 * len(sentence.split())
    assert tokenizer.convert_ids_to_tokens(len(tokenizer) - 1) == "<vis_extra_id_0>"
