"""OK-VQA's files; what it shares with VQA v2 is tested there."""

from __future__ import annotations

import json

import pytest
from synthetic_files import coco_photos, write_coco, write_ok_vqa

from tasks import ROLES, DataError
from tasks.ok_vqa import OkVqa


@pytest.fixture
def data(tmp_path):
    write_coco(tmp_path)
    write_ok_vqa(tmp_path)
    return tmp_path


def test_a_tenth_of_the_training_photos_selects_and_val_reports(data):
    task = OkVqa(data)
    clusters = {role: {example.cluster for example in task.examples(role)} for role in ROLES}
    parts = {
        part: {f"{number}" for number, place, *_ in coco_photos() if place == part} for part in ("train2014", "val2014")
    }
    assert clusters["report"] == parts["val2014"]
    assert clusters["train"] | clusters["select"] == parts["train2014"]
    assert not clusters["train"] & clusters["select"] and len(clusters["select"]) == 3


def test_every_answer_is_learnt_by_what_it_is_worth(data):
    task = OkVqa(data)
    example = task.examples("report")[0]
    assert example.text.startswith("What does animal ") and example.text.endswith(" eat?")
    assert dict(zip(example.targets, example.weights, strict=True)) == pytest.approx(
        {"hay": 1.0, "bread": 0.6, "nuts": 0.6}
    )
    assert len(example.references) == 10
    assert task.score([example] * 3, ["hay", "bread", "meat"]).per_example == pytest.approx([1.0, 0.6, 0.0])


def test_absent_photos_are_counted(data):
    next((data / "coco" / "val2014").iterdir()).unlink()
    assert (OkVqa(data).missing() or "").startswith("1 of 48 photos are not in ")
    (data / "okvqa" / "mscoco_val2014_annotations.json").unlink()
    assert "lacks okvqa/mscoco_val2014_annotations.json: " in (OkVqa(data).missing() or "")


def test_files_that_do_not_fit_each_other_are_told(data):
    path = data / "okvqa" / "mscoco_val2014_annotations.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({"annotations": content["annotations"][1:]}))
    assert OkVqa(data).missing() is None
    with pytest.raises(DataError, match=r"1 questions of OpenEnded_mscoco_val2014_questions[.]json have no annotation"):
        OkVqa(data).examples("report")
