import json

import pytest
from synthetic_files import KARPATHY, coco_photos, write_coco, write_list

from tasks import DataError
from tasks.coco_caption import CocoCaption
from tasks.floors import floors


@pytest.fixture
def data(tmp_path):
    write_coco(tmp_path)
    return tmp_path


def test_training_is_by_caption_and_the_rest_by_photo(data):
    task = CocoCaption(data)
    assert [len(task.examples(role)) for role in ("train", "select", "report")] == [(30 + 6) * 5, 6, 6]
    learnt, reported = task.examples("train")[0], task.examples("report")[0]
    assert (learnt.id, learnt.text, learnt.images, learnt.cluster) == ("7-0", "", ("7",), "7")
    assert (learnt.targets, learnt.weights) == (("A white dog runs on field number 7.",), (1.0,))
    assert reported.references == reported.targets and len(reported.references) == 5
    assert reported.id == reported.cluster == "301"


def test_restval_is_trained_on(data):
    of = {str(number): split for number, *_, split in coco_photos()}
    task = CocoCaption(data)
    found = {role: {of[example.cluster] for example in task.examples(role)} for role in ("train", "select", "report")}
    assert found == {"train": {"train", "restval"}, "select": {"val"}, "report": {"test"}}
    assert len(task.images("train").ids()) == KARPATHY["train"] + KARPATHY["restval"]


def test_an_empty_caption_is_no_target(data):
    path = data / "coco" / "dataset_coco.json"
    content = json.loads(path.read_text())
    content["images"][0]["sentences"][2]["raw"] = " \n"
    path.write_text(json.dumps(content))
    task = CocoCaption(data)
    assert len(task.examples("train")) == 36 * 5 - 1
    assert all(target for example in task.examples("train") for target in example.targets)


def test_absent_data_are_explained(tmp_path):
    assert "holds coco/" in (CocoCaption().missing() or "")
    said = CocoCaption(tmp_path).missing() or ""
    assert "lacks coco/dataset_coco.json, coco/train2014/, coco/val2014/: " in said and "vqav2" not in said
    with pytest.raises(DataError, match=r"dataset_coco\.json: cannot be read"):
        CocoCaption(tmp_path).examples("report")


def test_real_captions_score_as_in_the_official_pipeline(real_folder, tmp_path):
    """Real outputs for photos of Karpathy's test split, among others that play his train split here."""
    folder = real_folder("coco_captions")
    official = json.loads((folder / "reference_scores.json").read_text())
    real = json.loads((folder / "captions_val2014_subset500.json").read_text())
    results = json.loads((folder / "captions_val2014_model_results.json").read_text())
    said = {str(row["image_id"]): row["caption"] for row in results}
    captions: dict[int, list[dict[str, str]]] = {}
    for row in real["annotations"]:
        captions.setdefault(row["image_id"], []).append({"raw": row["caption"]})
    images = (
        {
            "cocoid": image["id"],
            "filepath": "val2014",
            "filename": image["file_name"],
            "split": "test" if str(image["id"]) in said else "restval",
            "sentences": captions[image["id"]],
        }
        for image in real["images"]
    )
    write_list(tmp_path / "coco" / "dataset_coco.json", "images", images)
    for part in ("train2014", "val2014"):
        (tmp_path / "coco" / part).mkdir()
    for image in real["images"][1:]:
        (tmp_path / "coco" / "val2014" / image["file_name"]).touch()
    assert (CocoCaption(tmp_path).missing() or "").startswith("1 of 500 photos are not in ")
    (tmp_path / "coco" / "val2014" / real["images"][0]["file_name"]).touch()
    task = CocoCaption(tmp_path)
    assert task.missing() is None
    examples = task.examples("report")
    scored = task.score(examples, [said[example.id] for example in examples])
    assert len(examples) == 378
    assert scored.value == pytest.approx(official["corpus"]["model"]["scores"]["CIDEr"], abs=1e-9)
    constant = floors(task)["majority"]
    assert constant is not None and 0 < constant < scored.value
