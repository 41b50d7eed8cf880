import json

import pandas as pd
import pytest
from synthetic_files import write_gqa

from tasks import DataError
from tasks.gqa import SELECT_SHARE, Gqa

ROLES = ("train", "select", "report")


@pytest.fixture
def data(tmp_path):
    write_gqa(tmp_path)
    return tmp_path


def file(data, part):
    return data / "gqa" / f"{part}_balanced_questions.json"


def refused(data, role="train"):
    with pytest.raises(DataError) as error:
        Gqa(data).examples(role)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_train_and_val_are_trained_on_but_for_a_few_photos(data):
    task = Gqa(data)
    photos = {role: {example.cluster for example in task.examples(role)} for role in ROLES}
    assert [len(photos[role]) for role in ROLES] == [61, 1, 6]  # 2 % of 62 photos
    assert not photos["train"] & photos["select"]
    assert {name[0] for name in photos["train"]} == {"5", "3"}  # of train and of val
    assert [len(task.examples(role)) for role in ROLES] == [122, 2, 12]
    assert [example.id for example in Gqa(data).examples("select")] == [e.id for e in task.examples("select")]
    assert SELECT_SHARE == 0.02 and "98 %" in task.card.splits["train"]


def test_an_example_is_one_question_about_one_photo(data):
    task = Gqa(data)
    example = task.examples("report")[0]
    assert (example.id, example.text, example.images) == ("70000", "What colour is the wall?", ("n7000",))
    assert (example.targets, example.weights, example.references) == (("red",), (1.0,), ("red",))
    assert (example.cluster, example.kind) == ("n7000", "query")
    assert task.images("report").open("n7000").mode == "RGB"
    assert task.score([example, example], ["red", "Red"]).per_example == [1.0, 0.0]


def test_training_and_selection_share_an_image_set(data):
    task = Gqa(data)
    assert task.images("train") is task.images("select")
    assert (task.images("train").name, task.images("report").name) == ("gqa/train-val", "gqa/testdev")
    assert (len(task.images("train").ids()), len(task.images("report").ids())) == (62, 6)


def test_absent_data_are_explained(data, tmp_path_factory):
    assert "HARNESS_DATA" in (Gqa().missing() or "")
    said = Gqa(tmp_path_factory.mktemp("empty")).missing() or ""
    assert "lacks gqa/train_balanced_questions.json, gqa/val_balanced_questions.json, " in said
    assert "gqa/images/" in said and "questions1.2.zip" in said
    for path in sorted((data / "gqa" / "images").glob("n*"))[1:4]:
        path.unlink()
    said = Gqa(data).missing() or ""
    assert said.startswith("3 of 68 photos are not in ") and "(first: n7001.jpg): images.zip is at" in said
    file(data, "val").unlink()
    assert "lacks gqa/val_balanced_questions.json: " in (Gqa(data).missing() or "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"isBalanced": False}, "question 70001 is not balanced; put the balanced questions here"),
        ({"isBalanced": None}, "record '70001': isBalanced is absent or of another type"),
        ({"answer": 3}, "record '70001': answer is absent or of another type"),
        ({"imageId": "n9999"}, "1 of 69 photos are not in"),
    ],
)
def test_a_record_that_is_not_as_expected_is_named(data, change, said):
    path = file(data, "testdev")
    questions = json.loads(path.read_text())
    questions["70001"] |= change
    path.write_text(json.dumps(questions))
    assert said in refused(data, "report")


def test_a_question_twice_is_named(data):
    train, val = (file(data, part) for part in ("train", "val"))
    text = train.read_text()
    train.write_text(text.replace('"50011": ', '"50010": '))
    assert f"{train}: question 50010 occurs twice" in refused(data)
    train.write_text(text)
    val.write_text(text)
    assert f"{val}: question 50000 occurs twice in train and val" in refused(data)


def test_mixed_up_splits_are_named(data):
    path = file(data, "testdev")
    path.write_text(file(data, "val").read_text())
    assert f"{path}: 12 of its photos are trained on (first: 3000); put the files" in refused(data)


def test_a_broken_file_is_named(data):
    path = file(data, "val")
    path.write_text(path.read_text()[:-3])
    assert f"{path}: line 1, column" in refused(data)
    assert len(Gqa(data).examples("report")) == 12


def test_scores_of_official_questions(real_folder, tmp_path):
    """98 photos of test-dev and their questions; here 48 of them are trained on, with empty photos."""
    folder = real_folder("gqa")
    (tmp_path / "gqa" / "images").mkdir(parents=True)
    for part, source in (("train", "train_48images"), ("testdev", "dev_50images")):
        file(tmp_path, part).write_text((folder / f"{source}_questions.json").read_text())
    file(tmp_path, "val").write_text("{}")
    task = Gqa(tmp_path)
    assert (task.missing() or "").startswith("98 of 98 photos")
    for name in task.photo_names():
        (tmp_path / "gqa" / "images" / name).touch()
    task = Gqa(tmp_path)
    assert task.missing() is None
    assert len(task.examples("train")) + len(task.examples("select")) == 1490
    examples = task.examples("report")
    predictions = json.loads((folder / "dev_50images_predictions.json").read_text())
    said = {row["questionId"]: row["prediction"] for row in predictions}
    official = json.loads((folder / "dev_50images_scores.json").read_text())
    scored = task.score(examples, [said[example.id] for example in examples])
    assert len(examples) == 1422
    assert scored.value == pytest.approx(official["accuracy"])
    assert {example.kind for example in examples} == {"query", "verify", "choose", "logical", "compare"}


def test_photos_with_their_questions(real_folder, tmp_path):
    """Five official questions on four photos, which report here."""
    folder = real_folder("photo_smoke")
    (tmp_path / "gqa" / "images").mkdir(parents=True)
    for part in ("train", "val"):
        file(tmp_path, part).write_text("{}")
    file(tmp_path, "testdev").write_text((folder / "gqa_questions.json").read_text())
    for row in pd.read_parquet(folder / "images.parquet").to_dict("records"):
        if row["source"] == "gqa":
            (tmp_path / "gqa" / "images" / row["file_name"]).write_bytes(row["image_bytes"])
    task = Gqa(tmp_path)
    assert task.missing() is None
    images = task.images("report")
    assert len(task.examples("report")) == 5 and len(images.ids()) == 4
    assert all(min(images.open(image).size) > 200 for image in images.ids())
