"""TVQA, How2QA, TVC and YC2C on small files in VALUE's layout, and on official lines where they are."""

import json
from pathlib import Path

import numpy as np
import pytest
from synthetic_files import VALUE_FILES, value_clips, write_lines, write_value

from harness.cli.program import invoke
from tasks import ROLES, DataError
from tasks._clip_features import ClipFeatures, fit
from tasks._scattered import Scattered
from tasks.how2qa import How2qa
from tasks.official.catalogue import FORMATS
from tasks.suites import NAMED
from tasks.tvc import Tvc
from tasks.tvqa import Tvqa
from tasks.yc2c import Yc2c

TASKS = (Tvqa, How2qa, Tvc, Yc2c)
KINDS = {Tvqa: "tv", Tvc: "tv", How2qa: "how2", Yc2c: "yc2"}


@pytest.fixture
def data(tmp_path):
    write_value(tmp_path, {"train": 60, "val": 3, "test": 2})
    return tmp_path


def file(data, task, part):
    return data / "video" / "ann" / task.name / f"{VALUE_FILES[task.name][part]}.jsonl"


def change(path, number, **fields):
    """Set fields of one line; None takes a field away."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[number] = {name: value for name, value in (lines[number] | fields).items() if value is not None}
    write_lines(path, lines)


def features(data, kind, name):
    return data / "video" / "vis_features" / kind / "clip-vit" / f"{name}.npz"


def refused(task, role="report"):
    with pytest.raises(DataError) as error:
        task.examples(role)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_suite_holds_them_in_the_papers_order():
    (suite,) = [suite for suite in NAMED if suite.name == "video-text"]
    assert suite.tasks == tuple(task.name for task in TASKS) and suite.kind == "video-text"


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_lengths_decoding_and_loss_are_the_published_ones(task):
    """VL-Adapter's trainers and loaders of video tasks."""
    assert (task.prefix, task.prefix_place) == (f"{task.name}: ", "after")
    assert (task.text_limit, task.target_limit, task.loss, task.batch_share) == (600, 20, "example", 1.0)
    assert (task.decoding.beams, task.decoding.max_length, task.decoding.choices) == (5, 20, ())


def test_the_documentation_names_every_file_and_folder():
    text = (Path(__file__).parents[2] / "docs" / "papers-data.md").read_text("utf-8")
    for task in TASKS:
        assert f"`{task.name}`" in text and f"{task.clips}/clip-vit/" in text
        assert all(name.rpartition("/")[2] in text for name in task.required)


@pytest.mark.parametrize(
    ("task", "text", "target"),
    [
        (
            Tvqa,
            "[Subs] It is red . [Q] What colour is thing 122? [TS] (1.5-4.25) [Choices] "
            "a0: red. a1: green. a2: blue. a3: white. a4: none.",
            "a1",
        ),
        (
            How2qa,
            "[Subs] It is green . [Q] What colour is thing 122? [TS] (1.5-4.25) [Choices] "
            "a0: red. a1: green. a2: blue. a3: white.",
            "a1",
        ),
        (Tvc, "[Subs] It is green . [TS] ([0, 4.25])", "Somebody shows thing 122 in green ."),
        (Yc2c, "[Subs] It is green .", "Somebody paints thing 122 in green ."),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_an_example_reads_as_in_vl_adapter(data, task, text, target):
    (example, *_) = task(data).examples("report")
    assert (example.id, example.targets[0]) == ("122", target)
    assert example.whole_text == text.replace("It is red", "It is green")
    assert example.references == example.targets


def test_what_is_said_in_a_clip_is_one_line_without_times(data):
    path = data / "video" / "ann" / "how2_subtitles.jsonl"
    change(path, 60, sub=[{"text": " One "}, {"text": " ", "start": 1}, {"text": "two."}])
    change(path, 61, sub=[])
    first, _, silent, *_ = How2qa(data).examples("report")
    assert first.whole_text.startswith("[Subs] One two. [Q]")
    assert silent.whole_text.startswith("[Q]")


def test_a_moment_is_trained_on_once_per_caption_and_reported_with_all(data):
    trained, reported = (Tvc(data).examples(role) for role in ("train", "report"))
    assert [example.id for example in trained[-3:]] == ["120-1", "121-0", "121-1"]
    assert all(len(example.targets) == 1 and len(example.references) == 2 for example in trained)
    assert [(example.id, len(example.targets)) for example in reported[:2]] == [("122", 2), ("123", 2)]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_few_recordings_are_kept_from_training(data, task):
    made = {role: task(data).examples(role) for role in ROLES}
    recordings = {role: {example.cluster for example in examples} for role, examples in made.items()}
    assert len(recordings["select"]) == 1  # 2 % of 60 clips, and at least one
    assert not recordings["select"] & recordings["train"]
    clips = {clip for split, _, clip in value_clips(KINDS[task]) if split == "train"}
    assert {example.images[0] for role in ("train", "select") for example in made[role]} == clips
    assert len({image for example in made["select"] for image in example.images}) == (3 if task is Yc2c else 1)


def test_tasks_on_the_same_clips_select_on_the_same_and_share_their_features(data):
    one, other = Tvqa(data), Tvc(data)
    assert {e.cluster for e in one.examples("select")} == {e.cluster for e in other.examples("select")}
    assert one.images("train") is one.images("select")
    assert one.images("train").name == other.images("train").name == "video/tv/train"
    assert one.images("train").fingerprint == other.images("train").fingerprint != one.images("report").fingerprint
    assert one.precomputed("any").fingerprint == other.precomputed("any").fingerprint


def test_captions_are_compared_without_other_characters_than_ascii(data):
    task = Yc2c(data)
    examples = task.examples("report")
    said = [example.references[0] for example in examples]
    strange = [text.replace(" thing", "é thing") for text in said]
    assert task.score(examples, strange).value == pytest.approx(task.score(examples, said).value)
    assert task.card.metric.version != "" and task.card.metric.version.endswith("/ascii")


def test_features_come_from_their_files_as_they_are(data):
    source = How2qa(data).precomputed("any")
    assert (source.place, source.tokens, source.width) == (str(features(data, "how2", "").parent), 64, 512)
    stored = np.load(features(data, "how2", "61"))["features"]
    found = source.read("61")
    assert found.dtype == stored.dtype == np.float16 and len(stored) == 62
    assert (found[:62] == stored).all() and not found[62:].any() and found.shape == (64, 512)


@pytest.mark.parametrize("count", [1, 63, 64, 65, 100, 128, 200])
def test_steps_are_brought_to_64_as_by_an_adaptive_maximum(count):
    torch = pytest.importorskip("torch")
    steps = np.random.default_rng(count).normal(size=(count, 3)).astype(np.float32)
    pooled = torch.nn.functional.adaptive_max_pool1d(torch.from_numpy(steps.T)[None], 64)[0].T.numpy()
    expected = pooled if count >= 64 else np.concatenate([steps, np.zeros((64 - count, 3))])
    assert (fit(steps) == expected).all()


SUBMITTED = {
    Tvqa: ("tvqa/tvqa_test_predictions.json", '{"128": 3, "129": 0, "130": 0, "131": 0}'),
    How2qa: ("how2qa/how2qa_test_public_predictions.json", '{"128": 3, "129": 0, "130": 0, "131": 0}'),
    Tvc: (
        "tvc/tvc_test_predictions.jsonl",
        '{"vid_name": "show_s01e64_clip_00", "clip_id": 128, "ts": [0, 4.25], "descs": [{"desc": "a3"}]}',
    ),
    Yc2c: ("yc2c/yc2c_test_predictions.jsonl", '{"video_id": "_test0_0", "clip_id": 128, "descs": [{"desc": "a3"}]}'),
}


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_predictions_are_written_as_the_owners_server_takes_them(data, task, tmp_path, no_meteor):
    made = task(data)
    examples = made.examples("submit")
    assert [example.id for example in examples] == ["128", "129", "130", "131"]
    assert not any(example.references or example.targets for example in examples)
    source = made.precomputed("any")
    assert all(example.images[0] in source.names for example in examples)
    name, content = SUBMITTED[task]
    found = made.submission("submit", examples, ["a3", "a7", "so", ""])
    assert found[0] == name and found[1].splitlines()[0] == content
    reported = made.examples("report")
    name, content = made.submission("report", reported, [example.references[0] for example in reported])
    assert name.endswith(("val_predictions.json", "val_predictions.jsonl"))
    written = tmp_path / "written"
    written.write_text(content)
    form = FORMATS[task.name]
    read, said, left_out = form.read(file(data, task, "val"), written, None)
    assert not left_out and form.scorer(read, said).metrics[task(data).card.metric.name] > 0


def test_a_test_split_is_needed_by_nothing_else(data):
    task = Yc2c(data)
    before = task.fingerprint()
    file(data, task, "test").unlink()
    assert Yc2c(data).missing() is None and Yc2c(data).fingerprint() == before
    assert Yc2c(data).examples("report")
    with pytest.raises(DataError, match=r"yc2c_test_release\.jsonl: cannot be read"):
        Yc2c(data).examples("submit")


def garbage(path):
    path.write_bytes(b"no archive")


def truncate(path):
    path.write_bytes(path.read_bytes()[:-200])


def empty(path):
    path.write_bytes(b"")


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(bytes(content))


def encrypt(path):
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # of the list at the end
    path.write_bytes(bytes(content))


def rename(path):
    np.savez(path, other=np.zeros((2, 512), np.float32))


def objects(path):
    np.savez(path, features=np.array([None]))


def bare(path):
    with path.open("wb") as opened:
        np.save(opened, np.zeros((2, 512), np.float32))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (garbage, "is no whole .npz file"),
        (truncate, "is no whole .npz file"),
        (empty, "is no whole .npz file"),
        (damage, "is no whole .npz file"),
        (encrypt, "is no whole .npz file"),
        (objects, "is no whole .npz file"),
        (bare, "is no whole .npz file"),
        (rename, "has no array 'features'; expected features (512 wide)"),
        (lambda path: np.savez(path, features=np.zeros((3, 768), np.float32)), "float32 of shape (3, 768); expected"),
        (lambda path: np.savez(path, features=np.zeros((0, 512), np.float32)), "float32 of shape (0, 512); expected"),
        (lambda path: np.savez(path, features=np.zeros((3, 512), int)), "int64 of shape (3, 512); expected"),
        (lambda path: np.savez(path, features=np.full((3, 512), np.nan, np.float32)), "are not all finite numbers"),
        (lambda path: path.unlink(), "is not there any more; put the file back"),
    ],
    ids=[
        "garbage",
        "truncated",
        "empty",
        "damaged",
        "encrypted",
        "objects",
        "bare array",
        "name",
        "width",
        "steps",
        "type",
        "not finite",
        "gone",
    ],
)
def test_spoilt_features_are_named(tmp_path, spoil, said):
    path = tmp_path / "clip.npz"
    np.savez(path, features=np.ones((9, 512), np.float16))
    files = Scattered([tmp_path], lambda: {"clip.npz"}, "clips", "nowhere")
    assert files.missing() is None
    source = ClipFeatures("clip", 512, lambda: files)
    spoil(path)
    with pytest.raises(DataError) as error:
        source.read("clip")
    assert str(error.value).startswith(f"{path}: ") and said in str(error.value) and "\n" not in str(error.value)


def test_absent_data_are_explained(data, tmp_path_factory):
    assert "HARNESS_DATA" in (Tvc().missing() or "")
    said = Tvc(tmp_path_factory.mktemp("empty")).missing() or ""
    assert "lacks ann/tvc/tvc_train_release.jsonl, ann/tvc/tvc_val_release.jsonl, ann/tv_subtitles.jsonl, " in said
    assert "vis_features/tv/clip-vit/: annotations, subtitles and clip-vit features come by" in said
    task = Tvc(data)
    assert task.missing() is None
    for number in (61, 63):
        features(data, "tv", f"show_s01e{number}_clip_00").unlink()
    said = Tvc(data).missing() or ""
    assert said.startswith("2 of 63 files of clips' features are not in ")
    assert "(first: show_s01e61_clip_00.npz): annotations, subtitles and clip-vit features" in said
    assert task.fingerprint() != Tvc(data).fingerprint()


@pytest.mark.parametrize(
    ("task", "fields", "said"),
    [
        (Tvqa, {"answer_idx": 5}, "question 123: answer_idx is 5; expected 0 to 4"),
        (Tvqa, {"answer_idx": None}, "line 2, column 208: the record: answer_idx is absent or of another type"),
        (How2qa, {"a3": 7}, "the record: a3 is absent or of another type"),
        (How2qa, {"qid": 122}, "example '122' of validation occurs twice"),
        (Tvc, {"ts": "0-4"}, "the record: ts is absent or of another type"),
        (Tvc, {"descs": []}, "clip_id 123: descs hold no caption"),
        (Tvc, {"descs": [{"desc": " "}]}, "clip_id 123: descs hold no caption"),
        (Yc2c, {"descs": [{"text": "no"}]}, "clip_id 123: descs hold no caption; expected texts called 'desc'"),
    ],
)
def test_a_line_that_is_not_as_expected_is_named(data, task, fields, said):
    change(file(data, task, "val"), 1, **fields)
    assert said in refused(task(data))


def test_mixed_up_splits_are_named(data):
    path = file(data, Tvc, "val")
    path.write_text("\n".join(file(data, Tvc, "train").read_text().splitlines()[:3]))
    assert f"{path}: 3 of its records are trained on (first: 2); put the files" in refused(Tvc(data), "train")


def test_subtitles_of_other_clips_are_named(data):
    path = data / "video" / "ann" / "yc2_subtitles.jsonl"
    path.write_text((data / "video" / "ann" / "tv_subtitles.jsonl").read_text())
    assert f"{path}: holds none of the clips of" in refused(Yc2c(data))
    change(path, 0, sub=["said"])
    assert "clip show_s01e01_clip_00: sub must be a list of records with a text" in refused(Yc2c(data))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_official_predictions_score_as_by_the_official_scorers(data, real_folder, task):
    """Official validation lines, without real features, which scores do not hang on."""
    folder = real_folder("video")
    (lines,) = set((folder / task.name).glob("*_val_subset*.jsonl")) - set((folder / task.name).glob("*predictions*"))
    path = file(data, task, "val")
    path.write_text(lines.read_text())
    clips = {json.loads(line)["vid_name"] for line in path.read_text().splitlines()}
    for clip in clips:
        features(data, KINDS[task], clip).touch()
    with (data / "video" / "ann" / f"{KINDS[task]}_subtitles.jsonl").open("a") as said:
        said.write(json.dumps({"vid_name": min(clips), "sub": []}) + "\n")
    made = task(data)
    assert made.missing() is None
    examples = made.examples("report")
    (given,) = (folder / task.name).glob("*_val_subset_predictions.json*")
    official = json.loads((folder / "reference_scores.json").read_text())
    if given.suffix == ".json":
        predictions = {name: f"a{index}" for name, index in json.loads(given.read_text()).items()}
        expected = official[f"{task.name}_val_subset"]["accuracy"] / 100
    else:
        rows = [json.loads(line) for line in given.read_text().splitlines()]
        predictions = {str(row["clip_id"]): row["descs"][0]["desc"] for row in rows}
        (expected,) = [value["scores"]["CIDEr"] for name, value in official.items() if name.startswith(task.name)]
    scored = made.score(examples, [predictions[example.id] for example in examples])
    assert scored.value == pytest.approx(expected, abs=5e-5 if given.suffix == ".json" else 1e-6)


def test_data_check_reads_all_features_and_status_counts_them(data, capsys):
    parts = Yc2c(data).parts()
    assert [part.there for part in parts[:-1]] == [1] * 4 and not parts[-2].needed
    assert parts[-1].name == "video/vis_features/yc2/clip-vit" and parts[-1].there == parts[-1].wanted > 0
    arguments = ["data", "check", "yc2c", "--data", str(data)]
    assert invoke(arguments) == 0
    clips = f"{parts[-1].wanted:,} images"
    assert clips in capsys.readouterr().out
    path = features(data, "yc2", Yc2c(data).examples("report")[0].images[0])
    path.write_bytes(path.read_bytes()[:60])
    assert invoke(arguments) == 1
    said = capsys.readouterr().out
    assert f"1 of {clips} do not decode" in said and str(path) in said
    path.unlink()
    assert invoke(arguments) == 1
    assert f"1 of {clips} are not there ({path.stem})" in capsys.readouterr().out


def test_there_are_no_pictures_of_clips(data):
    images = Tvqa(data).images("report")
    with pytest.raises(DataError, match="there are features, but no pictures"):
        images.open(images.ids()[0])
