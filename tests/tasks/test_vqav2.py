import json

import pandas as pd
import pytest
from synthetic_files import KARPATHY, coco_photos, vqa_annotation, write_coco, write_list, write_vqav2

from tasks import DataError
from tasks.coco_caption import CocoCaption
from tasks.vqav2 import Vqav2

ROLES = ("train", "select", "report")


@pytest.fixture
def data(tmp_path):
    write_coco(tmp_path)
    write_vqav2(tmp_path)
    return tmp_path


def file(data, kind, part="train2014"):
    return (
        data
        / "vqav2"
        / (f"v2_OpenEnded_mscoco_{part}_questions.json", f"v2_mscoco_{part}_annotations.json")[kind == "annotations"]
    )


def change(data, kind, edit, part="train2014"):
    """Let ``edit`` change the records of a file in place."""
    path = file(data, kind, part)
    content = json.loads(path.read_text())
    edit(content[kind])
    path.write_text(json.dumps(content))
    return path


def refused(data, role="train"):
    with pytest.raises(DataError) as error:
        Vqav2(data).examples(role)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_questions_follow_karpathys_split_of_their_photos(data):
    task = Vqav2(data)
    photos = {split: {str(number) for number, *_, of in coco_photos() if of == split} for split in KARPATHY}
    found = {role: {example.cluster for example in task.examples(role)} for role in ROLES}
    assert found["train"] == photos["train"] | photos["restval"]
    assert (found["select"], found["report"]) == (photos["val"], photos["test"])
    assert [len(task.examples(role)) for role in ROLES] == [72, 12, 12]
    assert task.card.splits["report"] == "Karpathy test"


def test_an_example_has_ten_references_and_learns_the_frequent_answers(data):
    one, other = Vqav2(data).examples("train")[:2]
    assert (one.id, one.text, one.images, one.cluster) == ("7000", "What colour is it?", ("7",), "7")
    assert (one.targets, one.weights) == (("white",), (1.0,))  # "yes" and "odd 7000" are no question's common answer
    assert one.references == ("white",) * 7 + ("yes",) * 2 + ("odd 7000",)
    assert (other.targets, other.kind, one.kind) == (("2",), "number", "other")


def test_an_answer_is_worth_what_the_papers_label_files_say(data):
    """0.3, 0.6, 0.9 and 1 for an answer given once, twice, three times or more often (VL-T5's label files)."""
    answers = ["red"] * 4 + ["blue"] * 3 + ["white"] * 2 + ["green"]

    def edit(records):
        for place, answer in enumerate(answers):
            records[0]["answers"][place]["answer"] = answer

    change(data, "annotations", edit)
    example = Vqav2(data).examples("train")[0]
    assert dict(zip(example.targets, example.weights, strict=True)) == pytest.approx(
        {"red": 1.0, "blue": 0.9, "white": 0.6, "green": 0.3}
    )


@pytest.mark.parametrize(("questions", "learnt"), [(8, False), (9, True)])
def test_frequent_is_the_common_answer_of_nine_questions_of_both_files(data, questions, learnt):
    spread = {"train2014": 5, "val2014": questions - 5}
    for part, count in spread.items():

        def edit(records, count=count):
            for record in records[: 2 * count : 2]:
                record["multiple_choice_answer"] = "The yes,"  # normalised: "yes"

        change(data, "annotations", edit, part)
    example = Vqav2(data).examples("select")[0]
    assert ("yes" in example.targets) == learnt


def test_a_question_without_a_frequent_answer_keeps_its_place(data):
    def edit(records):
        for answer in records[0]["answers"]:
            answer["answer"] = "never said elsewhere"

    change(data, "annotations", edit)
    example = Vqav2(data).examples("train")[0]
    assert (example.id, example.targets, example.weights) == ("7000", (), ())


def test_predictions_are_scored_by_the_official_rule(data):
    task = Vqav2(data)
    examples = task.examples("report")[:3]
    scored = task.score(examples, ["yes", "2", "pink"])
    assert scored.per_example == pytest.approx([0.6, 1.0, 0.0])


def test_photos_are_shared_with_the_captions(data):
    for role in ROLES:
        mine, theirs = Vqav2(data).images(role), CocoCaption(data).images(role)
        assert (mine.name, mine.fingerprint, mine.ids()) == (theirs.name, theirs.fingerprint, theirs.ids())
    assert {Vqav2(data).images(role).name for role in ROLES} == {f"coco/karpathy-{n}" for n in ("train", "val", "test")}
    assert Vqav2(data).images("train").open("7").mode == "RGB"


def test_absent_data_are_explained(data, tmp_path_factory):
    said = Vqav2().missing() or ""
    assert "--data" in said and "vqav2/ and coco/" in said
    said = Vqav2(tmp_path_factory.mktemp("empty")).missing() or ""
    for name in (
        "v2_OpenEnded_mscoco_val2014_questions.json",
        "coco/dataset_coco.json",
        "coco/val2014/",
        "visualqa.org",
    ):
        assert name in said
    file(data, "annotations").unlink()
    said = Vqav2(data).missing() or ""
    assert "lacks vqav2/v2_mscoco_train2014_annotations.json: " in said
    with pytest.raises(DataError, match=r"v2_mscoco_train2014_annotations\.json: cannot be read"):
        Vqav2(data).examples("train")


def test_absent_photos_are_counted(data):
    for path in sorted((data / "coco" / "val2014").iterdir())[:5]:
        path.unlink()
    said = Vqav2(data).missing() or ""
    assert said.startswith("5 of 48 photos are not in ")
    assert "(first: COCO_val2014_000000000217.jpg): COCO's train2014.zip and val2014.zip are at cocodataset.org" in said
    assert CocoCaption(data).missing() == said.replace("tasks.vqav2", "tasks.coco_caption")
    assert said in refused(data)


def test_a_broken_file_is_no_absent_one(data):
    path = data / "coco" / "dataset_coco.json"
    path.write_text(path.read_text()[:-40])
    assert Vqav2(data).missing() is None
    assert f"{path}: line 1, column" in refused(data)


def test_the_fingerprint_follows_annotations_and_photos(data):
    before = Vqav2(data).fingerprint(), Vqav2(data).images("report").fingerprint
    assert before == (Vqav2(data).fingerprint(), Vqav2(data).images("report").fingerprint)
    (data / "coco" / "val2014" / "unknown.jpg").write_bytes(b"no business of ours")
    assert Vqav2(data).fingerprint() == before[0]
    test = [file for *_, file, split in coco_photos() if split == "test"]
    (data / "coco" / "val2014" / test[0]).write_bytes(b"another photo")
    changed = Vqav2(data).fingerprint()
    assert changed != before[0] and Vqav2(data).images("report").fingerprint != before[1]
    change(data, "annotations", lambda records: records.reverse())
    assert Vqav2(data).fingerprint() not in (changed, before[0])


def test_a_photo_that_does_not_decode_is_named(data):
    path = data / "coco" / "train2014" / "COCO_train2014_000000000007.jpg"
    path.write_bytes(path.read_bytes()[:-40])
    images = Vqav2(data).images("train")
    with pytest.raises(DataError, match=rf"{path}: image '7' is no whole PNG or JPEG"):
        images.open("7")
    path.unlink()
    with pytest.raises(DataError, match="image '7' is not there any more"):
        images.open("7")
    with pytest.raises(DataError, match=r"coco/karpathy-train: no image '8'; expected one of 36 ids"):
        images.open("8")


def test_a_question_twice_is_named(data):
    path = change(data, "questions", lambda records: records.append(records[3]))
    assert f"{path}: question 14001 occurs twice" in refused(data)


def test_an_annotation_twice_is_named(data):
    path = change(data, "annotations", lambda records: records.append(records[3]))
    assert f"{path}: question 14001 is annotated twice" in refused(data)


def test_a_question_without_annotation_is_named(data):
    path = change(data, "annotations", lambda records: records.__delitem__(slice(2, 5)))
    assert f"{path}: 3 questions of {file(data, 'questions').name} have no annotation (first: 14000)" in refused(data)


def test_an_annotation_without_question_is_named(data):
    path = change(data, "questions", lambda records: records.pop(2))
    assert f"{path.parent}/v2_mscoco_train2014_annotations.json: question 14000 is not in {path.name}" in refused(data)


@pytest.mark.parametrize(
    "answers", [[], [{"answer": "red"}] * 9, [{"said": "red"}] * 10, [{"answer": 2}] * 10, ["red"]]
)
def test_an_annotation_without_its_ten_answers_is_named(data, answers):
    path = change(data, "annotations", lambda records: records[2].update(answers=answers))
    message = refused(data, "report")
    assert (
        f"{path}: question 14000 has {len(answers) if len(answers) == 9 else 0} answers; expected 10 texts" in message
    )


def test_an_annotation_about_another_photo_is_named(data):
    path = change(data, "annotations", lambda records: records[2].update(image_id=7))
    assert f"{path}: question 14000 is about image 7, in {file(data, 'questions').name} about image 14" in refused(data)


def test_mixed_up_parts_are_named(data):
    train, val = (file(data, "questions", part) for part in ("train2014", "val2014"))
    train.write_bytes(val.read_bytes())
    message = refused(data)
    assert f"{train}: question 217000 is about image 217, which is in val2014; put the files" in message
    change(data, "questions", lambda records: records[0].update(image_id=8))
    assert "image 8, which is not in" in refused(data)


def test_karpathys_file_is_checked(data):
    path = data / "coco" / "dataset_coco.json"
    content = json.loads(path.read_text())
    for change, said in (
        ({"split": "dev"}, "image 14: split 'dev'; expected one of train, restval, val, test"),
        ({"cocoid": 7}, "image 7 occurs twice"),
        ({"cocoid": "14"}, "record 2 of images: cocoid is absent or of another type"),
        ({"sentences": []}, "image 14: its sentences hold no caption"),
        ({"sentences": [{"raw": " "}]}, "image 14: its sentences hold no caption"),
        ({"sentences": ["a dog"]}, "image 14: its sentences hold no caption"),
    ):
        images = [content["images"][0], content["images"][1] | change, *content["images"][2:]]
        path.write_text(json.dumps(content | {"images": images}))
        assert f"{path}: " in refused(data) and said in refused(data)


def official_layout(data, questions, annotations, part):
    """Write one part of the official files, Karpathy's file for its photos, and empty photos."""
    images = {record["image_id"] for record in questions}
    other = {"train2014": "val2014", "val2014": "train2014"}[part]
    for place in (part, other):
        here = place == part
        write_list(file(data, "questions", place), "questions", questions if here else [])
        write_list(file(data, "annotations", place), "annotations", annotations if here else [])
        (data / "coco" / place).mkdir(parents=True)
    records = [
        {
            "cocoid": image,
            "filepath": part,
            "filename": f"COCO_{part}_{image:012}.jpg",
            "split": "test",
            "sentences": [{"raw": "A photo."}],
        }
        for image in sorted(images)
    ]
    write_list(data / "coco" / "dataset_coco.json", "images", records)
    for record in records:
        (data / "coco" / part / record["filename"]).touch()


def test_scores_of_the_official_evaluator(real_folder, tmp_path):
    folder = real_folder("vqa")
    found = {name: json.loads((folder / f"val2000_{name}.json").read_text()) for name in ("questions", "annotations")}
    official_layout(tmp_path, found["questions"]["questions"], found["annotations"]["annotations"], "train2014")
    task = Vqav2(tmp_path)
    assert task.missing() is None
    examples = task.examples("report")
    results = json.loads((folder / "val2000_results_noisy.json").read_text())
    said = {str(result["question_id"]): result["answer"] for result in results}
    scored = task.score(examples, [said[example.id] for example in examples])
    official = json.loads((folder / "val2000_accuracy.json").read_text())
    assert len(examples) == 2000
    assert round(100 * scored.value, 2) == pytest.approx(official["overall"])
    for kind, value in official["perAnswerType"].items():
        of_kind = [one for one, example in zip(scored.per_example, examples, strict=True) if example.kind == kind]
        assert round(100 * sum(of_kind) / len(of_kind), 2) == pytest.approx(value)


def test_photos_with_their_questions(real_folder, tmp_path):
    """Six official questions on three photos of val2014."""
    folder = real_folder("photo_smoke")
    found = {name: json.loads((folder / f"vqa_{name}.json").read_text()) for name in ("questions", "annotations")}
    official_layout(tmp_path, found["questions"]["questions"], found["annotations"]["annotations"], "val2014")
    for row in pd.read_parquet(folder / "images.parquet").to_dict("records"):
        if row["source"] == "coco_val2014":
            (tmp_path / "coco" / "val2014" / row["file_name"]).write_bytes(row["image_bytes"])
    task = Vqav2(tmp_path)
    assert task.missing() is None
    images = task.images("report")
    assert len(task.examples("report")) == 6 and len(images.ids()) == 3
    assert all(min(images.open(image).size) > 200 for image in images.ids())


def test_the_synthetic_annotations_have_the_owners_fields(real_folder):
    real = json.loads((real_folder("vqa") / "val2000_annotations.json").read_text())["annotations"][0]
    made = vqa_annotation(7, 7000)
    assert made.keys() == real.keys()
    assert made["answers"][0].keys() == real["answers"][0].keys()
