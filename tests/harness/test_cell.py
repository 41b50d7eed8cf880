"""A whole cell, from its configuration to its result, on tasks given as a plugin and a tiny backbone on disk."""

from __future__ import annotations

import dataclasses
import json
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas
import pytest
import small_tasks
import small_world
import torch
from safetensors.torch import load_file
from small_world import FakeEncoder, write_checkpoint
from transformers import CLIPVisionConfig, CLIPVisionModel

from harness import cell as cell_module
from harness import checkpoint, parameters
from harness.backbones import registry
from harness.backbones.vision import EncoderSpec, ImageEncoder, patch_features
from harness.catalogue import Catalogue
from harness.cells import Cell, Settings
from harness.errors import Incompatible, Unavailable, UserError
from harness.evaluation import Evaluated, mean_value
from harness.options import Options
from harness.plugins import find_methods
from harness.preparation import prepare
from harness.run_folder import CellFolder
from harness.store import silent
from harness.submission import submit
from harness.training import Stepper
from methods import tuned
from tasks import DataError

sys.path.insert(0, str(Path(__file__).parents[1] / "tasks"))

from synthetic_files import write_coco, write_glue, write_gqa, write_nlvr2, write_value, write_vqav2

TASKS = ("small-colour", "small-truth", "small-caption")


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Options under which backbone "small" and the small tasks are there."""
    folder = tmp_path / "small"
    folder.mkdir()
    write_checkpoint(folder)
    spec = dataclasses.replace(
        registry.SPECS["mini-bart"],
        name="small",
        embedded=folder,
        feature_widths={"image-text": FakeEncoder.width, "text": 0},
    )
    monkeypatch.setitem(registry.SPECS, "small", spec)
    monkeypatch.setattr("harness.preparation.load_encoder", lambda *_: FakeEncoder())
    plugin = Path(small_tasks.__file__)
    return Options(cache=tmp_path / "cache", device="cpu", plugins=(plugin,))


def a_cell(method="adapter-single", tasks=TASKS, seed=0, **settings):
    defaults = {"epochs": 2, "batch_size": 8, "evaluation_batch_size": 5, "measure": False}
    parameters = find_methods().get(method).configured("bart", "image-text", "small").model_dump()
    return Cell(
        suite="small",
        kind="image-text",
        tasks=tasks,
        backbone="small",
        method=method,
        parameters=parameters,
        seed=seed,
        settings=Settings(**(defaults | settings)),
    )


def run(tmp_path, cell, options, name="cell"):
    folder = CellFolder(tmp_path / name)
    folder.write_cell(cell)
    cell_module.run(folder, cell, options)
    return folder


def test_a_cell_leaves_everything_behind(tmp_path, world):
    cell = a_cell(measure=True, selection="best")
    folder = run(tmp_path, cell, world)
    result = folder.result()
    assert (result.state, result.key, result.step) == ("done", cell.key, 24)
    assert [score.task for score in result.scores] == list(TASKS)
    assert all(score.select_value is not None for score in result.scores)
    assert result.selected_epoch in (1, 2)
    assert result.scores[0].floors["majority"] == pytest.approx(1 / 3)
    assert result.speed.training_samples_per_second.median > 0
    assert result.memory.stored_file_bytes == (folder.path / "weights.safetensors").stat().st_size
    times = result.times
    parts = (times.start_up, times.training, times.selection, times.evaluation, times.measurement)
    assert all(part > 0 for part in parts)
    assert sum(parts) <= times.total
    assert result.environment["precision"] == "float32"
    predictions = pandas.read_parquet(folder.path / "predictions.parquet")
    for score in result.scores:
        rows = predictions[predictions["task"] == score.task]
        assert rows["score"].mean() == pytest.approx(score.value)
    lines = [json.loads(line) for line in (folder.path / "curve.jsonl").read_text().splitlines()]
    assert {line["task"] for line in lines} == set(TASKS)
    assert folder.status().state == "done"


def numbers(folder):
    result = folder.result().model_dump()
    predictions = pandas.read_parquet(folder.path / "predictions.parquet")
    weights = (folder.path / "weights.safetensors").read_bytes()
    return result["scores"], predictions.to_json(), (folder.path / "curve.jsonl").read_text(), weights


def test_the_same_cell_gives_the_same_numbers_with_a_cold_and_a_warm_cache(tmp_path, world):
    first = run(tmp_path, a_cell("lora-single"), world, "first")
    assert numbers(first) == numbers(run(tmp_path, a_cell("lora-single"), world, "second"))
    assert numbers(first)[2:] != numbers(run(tmp_path, a_cell("lora-single", seed=1), world, "third"))[2:]


def test_measuring_changes_no_number(tmp_path, world):
    plain, measured = a_cell(), a_cell(measure=True)
    one, other = run(tmp_path, plain, world, "plain"), run(tmp_path, measured, world, "measured")
    assert numbers(one)[:3] == numbers(other)[:3]


def test_stored_weights_give_the_stored_predictions(tmp_path, world):
    folder = run(tmp_path, a_cell("full", measure=True), world)
    path = folder.path / "weights.safetensors"
    ready = prepare(checkpoint.read_cell(path), world, silent)
    checkpoint.load(path, ready.bench.model)
    stored = pandas.read_parquet(folder.path / "predictions.parquet")["prediction"].tolist()
    again = [text for data in ready.scored for text in cell_module.evaluate(ready.bench, data, 5).predictions]
    assert again == stored


def test_the_last_epoch_is_reported_without_selecting(tmp_path, world):
    result = run(tmp_path, a_cell(epochs=1), world).result()
    assert result.selected_epoch == 1
    assert result.times.selection is None
    assert all(score.select_value is None for score in result.scores)


def test_limited_scores_do_not_compare(tmp_path, world):
    result = run(tmp_path, a_cell(limit=4), world).result()
    assert all((score.examples, score.comparable) == (4, False) for score in result.scores)


@pytest.mark.parametrize("control", ["image-blind", "question-blind"])
def test_controls_hide_what_they_say(tmp_path, world, control):
    ready = prepare(a_cell(control=control), world, silent)
    batch = next(ready.scored[0].in_order_of_length(9))
    assert bool(batch.features.any()) == (control != "image-blind")
    assert (len(set(batch.mask.sum(1).tolist())) == 1) == (control == "question-blind")


@pytest.fixture
def clip(world, monkeypatch):
    """A world in which a small real encoder reads the images; the backbone has a token for each of its patches."""
    monkeypatch.setitem(small_world.CONFIG, "vocab_size", 40)
    write_checkpoint(registry.get("small").embedded)

    def load(*_):
        torch.manual_seed(1)
        shape = {"hidden_size": FakeEncoder.width, "intermediate_size": 8, "num_attention_heads": 2}
        model = CLIPVisionModel(CLIPVisionConfig(**shape, num_hidden_layers=3, image_size=12, patch_size=2))
        spec = EncoderSpec("clip", "CLIP", FakeEncoder.width, layer=-2)
        return ImageEncoder(spec, model, 12, partial(patch_features, model, layer=-2), "clip 1")

    monkeypatch.setattr("harness.preparation.load_encoder", load)
    return world


def test_an_encoder_to_be_tuned_starts_as_the_frozen_one(clip):
    tokens = []
    for image_encoder in ("frozen", "tuned"):
        model, data = (ready := prepare(a_cell(image_encoder=image_encoder), clip, silent)).bench.model, ready.train[1]
        batch = next(data.in_order_of_length(4)).to(torch.device("cpu"))
        assert batch.tokens == batch.mask.sum() + (batch.labels != -100).sum() + 4 * 2 * 36
        tokens.append(model.visual(batch.features, model.lm.get_input_embeddings().weight))
    assert torch.allclose(*tokens, atol=1e-2)  # features and pixels are kept in half precision


def test_a_tuned_encoder_learns_at_its_own_rate_counts_and_is_stored(tmp_path, clip):
    cell = a_cell("projection", image_encoder="tuned")
    folder = run(tmp_path, cell, clip)
    counts = folder.result().parameters
    frozen = prepare(a_cell("projection"), clip, silent).counts
    ready = prepare(cell, clip, silent)
    encoder = dict(ready.bench.model.visual.encoder.named_parameters())
    assert not any("layers.2" in name or "post_layernorm" in name for name in encoder)  # they lead to no feature
    assert counts.image_encoder == sum(parameter.numel() for parameter in encoder.values()) > 0 == frozen.image_encoder
    for field in ("trained", "stored", "total"):
        assert getattr(counts, field) == getattr(frozen, field) + counts.image_encoder
    before = {name: parameter.detach().clone() for name, parameter in encoder.items()}
    checkpoint.load(folder.path / "weights.safetensors", ready.bench.model)
    still = [name for name, parameter in encoder.items() if torch.equal(parameter, before[name])]
    assert all(name.endswith("k_proj.bias") for name in still), still  # a softmax does not see them
    rates = {group["peak_rate"] for group in Stepper(ready.bench, cell.settings, 1, {}).optimiser.param_groups}
    assert rates == {1e-4, ready.bench.method.learning_rate}


def test_a_tuned_encoder_reads_no_clips(clip):
    cell = a_cell(image_encoder="tuned").model_copy(update={"kind": "video-text"})
    with pytest.raises(Incompatible, match="image_encoder: tuned reads single images, and small is video-text"):
        prepare(cell, clip, silent)


def test_without_subtitles_the_question_stays(world, monkeypatch):
    kind = type(prepare(a_cell(), world, silent).scored[0].task)
    silent_film = kind.examples
    told = lambda self, role: [dataclasses.replace(one, subtitles="red") for one in silent_film(self, role)]  # noqa: E731
    monkeypatch.setattr(kind, "examples", told)
    monkeypatch.setattr(kind, "version", "with subtitles")
    controls = ("none", "subtitle-blind", "question-blind")
    heard, blind, nothing = (prepare(a_cell(control=name), world, silent).train[0].texts.inputs for name in controls)
    assert (heard.lengths - blind.lengths == 2).all()  # the mark and the word
    assert blind.lengths.max() > nothing.lengths.max()


def test_prefixes_can_be_left_out(world):
    shown, bare = (prepare(a_cell(task_prefixes=on), world, silent).train[0] for on in (True, False))
    assert (shown.texts.inputs.lengths - bare.texts.inputs.lengths == 1).all()


def test_prefixes_can_be_those_of_the_papers_code(world):
    usual, published = (prepare(a_cell(task_prefixes=which), world, silent).train for which in (True, "published"))
    differences = [
        two.texts.inputs.lengths - one.texts.inputs.lengths for one, two in zip(usual, published, strict=True)
    ]
    assert [set(each.tolist()) for each in differences] == [{1}, {0}, {0}]
    assert a_cell().key == a_cell(task_prefixes=True).key != a_cell(task_prefixes="published").key


def test_the_papers_suite_runs_on_files_in_the_owners_layout(tmp_path, world):
    data = tmp_path / "data"
    for write in (write_coco, write_vqav2, write_gqa, write_nlvr2):
        write(data)
    catalogue = Catalogue(data)
    tasks = catalogue.suites["image-text"].tasks
    assert catalogue.missing("image-text", "small") is None
    assert (
        tasks == parameters.PAPER_SUITES["image-text"].tasks == tuple(catalogue.fingerprints("image-text", "small"))[:4]
    )
    options = world.model_copy(update={"data": data})
    folder = run(tmp_path, a_cell(tasks=tasks, epochs=1, batch_size=60, selection="best"), options)
    result = folder.result()
    assert (result.state, result.step) == ("done", 2 + 2 + 2 + 4)  # batches of 60, 100, 20 and 50
    assert [(score.task, score.split, score.examples) for score in result.scores] == [
        ("vqav2", "Karpathy test", 12),
        ("gqa", "test-dev balanced", 12),
        ("nlvr2", "test-P", 12),
        ("coco-caption", "Karpathy test", 6),
    ]
    stored = [path for path in (tmp_path / "cache" / "features").iterdir() if path.is_dir()]
    assert len(stored) == 3 + 2 + 3  # of COCO's photos one set for each role, shared by two tasks


def test_the_papers_suite_of_clips_runs_on_files_in_values_layout(tmp_path, world, monkeypatch):
    data = tmp_path / "data"
    clips = write_value(data) / "vis_features"
    monkeypatch.setitem(small_world.CONFIG, "vocab_size", 96)  # 64 rows of the token table say where a visual token is
    write_checkpoint(tmp_path / "small")
    monkeypatch.setattr("harness.preparation.load_encoder", lambda *_: pytest.fail("features need no image encoder"))
    monkeypatch.setattr("harness.backbones.vision.missing", lambda *_: "the encoder is not here")
    catalogue = Catalogue(data)
    tasks = catalogue.suites["video-text"].tasks
    assert catalogue.missing("video-text", "small") is None
    assert tasks == parameters.PAPER_SUITES["video-text"].tasks
    assert tuple(catalogue.fingerprints("video-text", "small")) == (*tasks, "backbone")
    cell = a_cell(tasks=tasks, epochs=1, batch_size=60, selection="best").model_copy(update={"kind": "video-text"})
    options = world.model_copy(update={"data": data})
    folder = run(tmp_path, cell, options)
    result = folder.result()
    assert (result.state, result.step) == ("done", 2 + 2 + 4 + 2)  # of TVC twice as many, two captions a moment
    assert [(score.task, score.split, score.examples) for score in result.scores] == [
        (task, "validation", 16) for task in tasks
    ]
    written = submit(folder, options, tmp_path / "submission", silent)
    assert {path.parent.name for path in written} == set(tasks) and len(written) == 2 * len(tasks)
    said = json.loads((tmp_path / "submission" / "tvqa" / "tvqa_test_predictions.json").read_text())
    assert len(said) == 8 and set(said.values()) <= set(range(5))
    stored = pandas.read_parquet(folder.path / "predictions.parquet")
    lines = (tmp_path / "submission" / "yc2c" / "yc2c_val_predictions.jsonl").read_text().splitlines()
    captions = [json.loads(line)["descs"][0]["desc"] for line in lines]
    assert captions == stored[stored["task"] == "yc2c"]["prediction"].tolist()
    ready = prepare(cell, options, silent)
    assert ready.bench.model.visual.feature_width == 512
    first = ready.scored[0]
    batch = first.batch(np.array([3, 0, 1]), first.texts.first[:3])
    names = [first.examples[index].images[0] for index in (3, 0, 1)]
    found = [np.load(clips / "tv" / "clip-vit" / f"{name}.npz")["features"] for name in names]
    assert names[1] == names[2] != names[0] and batch.features.shape == (3, 1, 64, 512)
    assert all((batch.features[row, 0, : len(steps)].numpy() == steps).all() for row, steps in enumerate(found))


@pytest.mark.parametrize(
    ("settings", "said"),
    [({}, "no server scores small-colour, small-truth, small-caption"), ({"limit": 4}, "ran with limit 4; servers")],
)
def test_what_no_server_takes_is_not_submitted(tmp_path, world, settings, said):
    folder = run(tmp_path, a_cell(epochs=0, **settings), world)
    with pytest.raises(UserError, match=said):
        submit(folder, world, tmp_path / "submission", silent)
    assert not (tmp_path / "submission").exists()


def test_broken_features_end_a_cell_before_it_trains(tmp_path, world):
    data = tmp_path / "data"
    path = write_value(data) / "vis_features" / "yc2" / "clip-vit" / "_val2_1.npz"
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    cell = a_cell(tasks=("yc2c",)).model_copy(update={"kind": "video-text"})
    options = world.model_copy(update={"data": data})
    with pytest.raises(DataError, match=r"_val2_1\.npz: is no whole \.npz file"):
        prepare(cell, options, silent)
    path.write_bytes(content)
    prepare(cell, options, silent)


def test_features_of_several_widths_do_not_train_together(tmp_path, world):
    data = tmp_path / "data"
    write_value(data)
    options = world.model_copy(update={"data": data})
    with pytest.raises(UserError, match=r"several widths: 512 in .*/clip-vit, 6 in image encoder"):
        prepare(a_cell(tasks=("small-colour", "tvqa")), options, silent)


@pytest.fixture
def text(tmp_path, world, monkeypatch):
    """The catalogue with GLUE in the owners' layout, and options; image encoders are not here."""
    write_glue(tmp_path / "data")
    monkeypatch.setattr("harness.preparation.load_encoder", lambda *_: pytest.fail("text needs no image encoder"))
    monkeypatch.setattr("harness.backbones.vision.missing", lambda *_: "the image encoder is not here")
    return Catalogue(tmp_path / "data"), world.model_copy(update={"data": tmp_path / "data"})


def of_text(method, catalogue, **settings):
    cell = a_cell(method, catalogue.suites["glue"].tasks, evaluation_batch_size=500, **settings)
    data = catalogue.fingerprints("glue", "small")
    return cell.model_copy(update={"suite": "glue", "kind": "text", "data": data})


def test_a_suite_of_text_runs_without_anything_for_images(tmp_path, text):
    catalogue, options = text
    assert catalogue.missing("glue", "small") is None and catalogue.unfit("text", "small") is None
    assert catalogue.missing("mini-vqa", "small") == "the image encoder is not here"
    cell = of_text("hyperpelt", catalogue, epochs=1, batch_size=8, selection="best")
    assert cell.tasks == parameters.PAPER_SUITES["text"].tasks and "encoder" not in cell.data
    folder = run(tmp_path, cell, options)
    result = folder.result()
    assert (result.state, result.step) == ("done", 5 * 2 + 3 * 2)  # of 12 examples each; the other three keep 1,000
    assert [score.task for score in result.scores] == list(cell.tasks)
    assert [score.parts for score in result.scores if score.parts] == [["f1", "accuracy"]] * 2 + [
        ["pearson", "spearman"]
    ]
    assert (result.parameters.visual_embedding, result.parameters.token_rows) == (0, 0)
    weights = load_file(folder.path / "weights.safetensors")
    assert sum(tensor.numel() for tensor in weights.values()) == result.parameters.stored == result.parameters.trained
    assert not [name for name in weights if "visual" in name]
    assert not (tmp_path / "cache" / "features").exists()
    predictions = pandas.read_parquet(folder.path / "predictions.parquet").set_index("task")
    assert predictions.loc["glue/stsb", "score"].isna().all() and (predictions["images"] == "").all()


def test_a_batch_of_text_holds_no_features(text):
    catalogue, options = text
    batch = next(prepare(of_text("bitfit", catalogue), options, silent).scored[0].in_order_of_length(9))
    assert batch.features.numel() == 0
    assert batch.tokens == batch.mask.sum() + (batch.labels >= 0).sum()


def test_selection_counts_every_metric_value(tmp_path, text):
    """As HyperFormer selects: eleven values, not eight tasks."""
    catalogue, options = text
    ready = prepare(of_text("bitfit", catalogue), options, silent)
    perfect = [
        Evaluated(data, (), data.task.score(data.examples, [example.references[0] for example in data.examples]))
        for data in ready.scored
    ]
    assert mean_value(perfect) == pytest.approx(1.0)
    wrong = [one if one.data.task.name == "glue/mrpc" else replace_scored(one, 0.0) for one in perfect]
    assert mean_value(wrong) == pytest.approx(2 / 11)


def replace_scored(one, value):
    more = dict.fromkeys(one.scored.more, value)
    return dataclasses.replace(one, scored=dataclasses.replace(one.scored, value=value, more=more))


def test_a_method_that_trains_nothing_on_text_is_incompatible(text):
    catalogue, options = text
    with pytest.raises(Incompatible, match="projection trains nothing on glue: without images there is no visual"):
        prepare(of_text("projection", catalogue), options, silent)


def test_a_tuned_encoder_reads_no_text(text):
    catalogue, options = text
    with pytest.raises(Incompatible, match="image_encoder: tuned reads single images, and glue is text"):
        prepare(of_text("bitfit", catalogue, image_encoder="tuned"), options, silent)


def test_the_backbone_is_frozen_but_for_what_the_method_trains(world):
    ready = prepare(a_cell("projection"), world, silent)
    trained = {name for name, parameter in ready.bench.model.named_parameters() if parameter.requires_grad}
    assert trained
    assert all(name.startswith("visual.") for name in trained)
    assert ready.counts.trained == sum(p.numel() for p in ready.bench.model.parameters() if p.requires_grad)


def test_counts_are_those_of_the_loaded_weights(world, monkeypatch, tmp_path):
    monkeypatch.setitem(small_world.CONFIG, "encoder_layers", 2)
    (tmp_path / "own" / "small").mkdir(parents=True)
    write_checkpoint(tmp_path / "own" / "small")
    ready = prepare(a_cell(), world.model_copy(update={"weights": tmp_path / "own"}), silent)
    assert ready.counts.total == sum(parameter.numel() for parameter in ready.bench.model.parameters())
    assert ready.counts.trained == sum(p.numel() for p in ready.bench.model.parameters() if p.requires_grad)


def test_the_start_does_not_depend_on_the_cache(world):
    states = []
    for _ in range(2):
        prepare(a_cell(), world, silent)
        states.append(torch.get_rng_state())
    assert torch.equal(*states)


def test_absent_data_and_weights_are_told(world, monkeypatch, tmp_path):
    monkeypatch.setattr("tasks.base.Task.missing", lambda self: "photos are not here; fetch them")
    with pytest.raises(Unavailable, match="photos are not here"):
        prepare(a_cell(), world, silent)
    monkeypatch.undo()
    spec = dataclasses.replace(registry.SPECS["mini-bart"], name="small", embedded=tmp_path / "nowhere")
    monkeypatch.setitem(registry.SPECS, "small", spec)
    monkeypatch.setattr("harness.preparation.load_encoder", lambda *_: FakeEncoder())
    with pytest.raises(Unavailable, match="weights of small"):
        prepare(a_cell(), world, silent)


def test_what_is_not_as_planned_is_refused_and_named(world):
    catalogue = Catalogue(plugins=world.plugins)
    planned = {name: catalogue.task(name).fingerprint() for name in TASKS}
    planned |= {"backbone": registry.fingerprint(registry.get("small")), "encoder": FakeEncoder.fingerprint}
    prepare(a_cell().model_copy(update={"data": planned}), world, silent)
    for name, thing in (
        ("small-truth", "the data of small-truth"),
        ("backbone", "the weights of small"),
        ("encoder", "the weights of image encoder fake"),
    ):
        changed = a_cell().model_copy(update={"data": planned | {name: "another"}})
        with pytest.raises(UserError, match=f"{thing} changed since the run was planned; run the same command again"):
            prepare(changed, world, silent)


def test_a_method_that_refuses_is_incompatible(world, monkeypatch):
    def refuse(self, model, context):
        raise ValueError("needs four layers")

    monkeypatch.setattr(find_methods().get("projection"), "attach", refuse)
    with pytest.raises(Incompatible, match="projection cannot serve small: needs four layers"):
        prepare(a_cell("projection"), world, silent)


def test_broken_images_are_named(world, monkeypatch):
    def broken(self, image_id):
        raise DataError(f"image {image_id} does not decode")

    plain = type(prepare(a_cell(), world, silent).scored[0].task.images("report"))
    monkeypatch.setattr(plain, "open", broken)
    fresh = world.model_copy(update={"cache": world.cache / "fresh"})
    with pytest.raises(DataError, match="image 0 does not decode"):
        prepare(a_cell(), fresh, silent)


def test_impossible_settings_are_named(world):
    with pytest.raises(UserError, match="float16 needs CUDA"):
        prepare(a_cell(precision="float16"), world, silent)
    with pytest.raises(UserError, match="device 'abacus'"):
        prepare(a_cell(), world.model_copy(update={"device": "abacus"}), silent)


def test_tuning_scores_the_selection_split_and_says_so(tmp_path, world):
    folder = run(tmp_path, a_cell(score_on="select"), world)
    scores = folder.result().scores
    assert {(score.split, score.examples) for score in scores} == {("choose", 6)}
    reported = run(tmp_path, a_cell(), world, "reported").result().scores
    assert {(score.split, score.examples) for score in reported} == {("publish", 9)}
    assert a_cell(score_on="select").key != a_cell().key


def test_a_random_backbone_keeps_the_architecture_and_forgets_every_weight(world):
    def weights(**settings):
        model = prepare(a_cell("projection", **settings), world, silent).bench.model
        return {name: parameter.detach() for name, parameter in model.named_parameters()}

    trained, forgotten = weights(), weights(control="random-backbone")
    assert {name: value.shape for name, value in forgotten.items()} == {n: v.shape for n, v in trained.items()}
    alike = [name for name, value in forgotten.items() if value.ndim > 1 and torch.equal(value, trained[name])]
    assert alike == []
    assert all(map(torch.equal, forgotten.values(), weights(control="random-backbone").values()))
    other = weights(control="random-backbone", seed=1)
    assert not torch.equal(other["lm.model.shared.weight"], forgotten["lm.model.shared.weight"])


@pytest.mark.parametrize(
    ("change", "source"),
    [
        ({}, "tuned"),
        ({"parameters": {"learning_rate": 0.5}}, "default"),  # planned before the rate was tuned
        ({"backbone": "bart-base"}, "default"),
        ({"backbone": "alike"}, "tuned"),
        ({"overrides": {"learning_rate": 0.25}}, "set"),
        ({"settings": Settings(learning_rate=0.25)}, "set"),
    ],
)
def test_the_origin_of_the_learning_rate_is_recorded(monkeypatch, change, source):
    search = tuned.Search(
        candidates=(0.25, 0.5),
        at_edge=True,
        suite="mini-image",
        splits=("validation",),
        examples=9,
        limit=None,
        epochs=1,
        steps=1,
        seeds=(0,),
        harness_version="1",
    )
    entry = tuned.TunedRate(learning_rate=0.25, search=search)
    monkeypatch.setattr(tuned, "rates", lambda: {"mini-bart": {"image-text": {"full": entry}}})
    alike = dataclasses.replace(registry.SPECS["mini-bart"], name="alike", like="mini-bart")
    monkeypatch.setitem(registry.SPECS, "alike", alike)
    change = {"backbone": "mini-bart", "parameters": {"learning_rate": 0.25}} | change
    cell = a_cell("full").model_copy(update=change)
    origin = cell_module.rate_origin(cell)
    assert origin.source == source
    place = (origin.candidates, origin.suite, origin.backbone)
    assert place == ((2, "mini-image", "mini-bart") if source == "tuned" else (None, None, None))
    assert origin.other_weights is (True if source == "tuned" else None)  # the entry knows no weights
