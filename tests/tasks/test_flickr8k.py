import json
from dataclasses import replace

import pytest
from synthetic_files import write_flickr8k

from tasks import DataError
from tasks.flickr8k import Flickr8k
from tasks.floors import floors


@pytest.fixture
def folder(tmp_path):
    return write_flickr8k(tmp_path, {"train": 20, "dev": 6})


def flickr8k(folder):
    return Flickr8k(folder.parent)


def test_training_is_by_caption_and_the_rest_by_image(folder):
    task = flickr8k(folder)
    assert [len(task.examples(role)) for role in ("train", "select", "report")] == [18 * 5, 2, 6]
    learnt, reported = task.examples("train")[0], task.examples("report")[0]
    assert learnt.targets == (learnt.references[0],) and learnt.weights == (1.0,)
    assert reported.references[0] == "A red dog runs on field number 20 ."
    assert len(reported.references) == 5
    assert reported.text == learnt.text == ""
    assert (reported.id, reported.images, reported.cluster) == ("20", ("20",), "20")


def test_no_image_is_trained_on_and_selected_on(folder):
    task = flickr8k(folder)
    assert not {e.cluster for e in task.examples("train")} & {e.cluster for e in task.examples("select")}


def test_a_test_file_reports_instead_of_dev(tmp_path):
    task = flickr8k(write_flickr8k(tmp_path, {"train": 10, "dev": 3, "test": 4}))
    assert task.card.splits["report"] == "test"
    assert [e.id for e in task.examples("report")] == ["13", "14", "15", "16"]


def test_the_other_folder_name_is_found(tmp_path):
    task = flickr8k(write_flickr8k(tmp_path, {"train": 10, "dev": 3}, "flickr8k"))
    assert task.missing() is None
    assert len(task.examples("report")) == 3


def test_photos_are_decoded_as_rgb(folder):
    assert flickr8k(folder).images("report").open("20").mode == "RGB"


def test_absent_data_are_explained(tmp_path):
    assert "flickr8k" in (Flickr8k().missing() or "")
    (write_flickr8k(tmp_path, {"train": 4, "dev": 2}) / "captions_dev.json").unlink()
    assert "lacks captions_dev.json" in (Flickr8k(tmp_path).missing() or "")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"annotations": [{"image_', "is not whole JSON"),
        ('{"images": []}', "annotations"),
        ('{"annotations": [{"image_id": 1}]}', r"annotations\.0\.caption"),
        ('{"annotations": [{"image_id": "one", "caption": "a dog"}]}', r"annotations\.0\.image_id"),
    ],
)
def test_a_broken_caption_file_is_named_with_the_place(folder, content, said):
    (folder / "captions_dev.json").write_text(content)
    with pytest.raises(DataError, match=rf"captions_dev\.json:.* {said}") as error:
        flickr8k(folder).examples("report")
    assert "\n" not in str(error.value)


def test_a_file_without_captions_is_refused(folder):
    (folder / "captions_dev.json").write_text('{"annotations": []}')
    with pytest.raises(DataError, match="no example in the dev"):
        flickr8k(folder).examples("report")


def test_captions_of_unknown_photos_are_counted(folder):
    file = json.loads((folder / "captions_dev.json").read_text())
    file["annotations"][0]["image_id"] = 999
    (folder / "captions_dev.json").write_text(json.dumps(file))
    with pytest.raises(DataError, match=r"1 of 7 images of the dev are not in the image files \(first: 999\)"):
        flickr8k(folder).examples("report")


def test_the_real_captions(real_folder):
    task = Flickr8k(real_folder("flickr8k_1000").parent)
    assert len(task.examples("train")) == 675 * 5
    assert (len(task.examples("select")), len(task.examples("report"))) == (75, 100)
    examples = task.examples("report")
    others = [replace(example, references=example.references[1:]) for example in examples]
    human = task.score(others, [example.references[0] for example in examples]).value
    assert human == pytest.approx(0.78, abs=0.005)  # the first caption against the other four, by the data's notes
    constant = floors(task)["majority"]
    assert constant is not None and 0.15 < constant < human
