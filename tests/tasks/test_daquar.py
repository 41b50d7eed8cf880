import pandas as pd
import pytest
from PIL import Image
from synthetic_files import write_daquar

from tasks import DataError
from tasks.daquar import Daquar
from tasks.floors import floors


@pytest.fixture
def folder(tmp_path):
    return write_daquar(tmp_path, {"train": 20, "dev": 6})


def daquar(folder):
    return Daquar(folder.parent)


def test_training_images_are_parted_and_dev_reports(folder):
    task = daquar(folder)
    images = {role: {e.cluster for e in task.examples(role)} for role in ("train", "select", "report")}
    assert [len(images[role]) for role in ("train", "select", "report")] == [18, 2, 6]
    assert not images["train"] & images["select"]
    assert task.card.splits["report"] == "dev"
    assert [e.id for e in daquar(folder).examples("select")] == [e.id for e in task.examples("select")]


def test_an_example_is_one_question_about_one_photo(folder):
    example = daquar(folder).examples("report")[0]
    assert (example.text, example.targets, example.weights) == ("what colour is the wall", ("red",), (1.0,))
    assert (example.images, example.cluster, example.kind) == (("image20",), "image20", "what colour")


def test_a_test_split_reports_instead_of_dev(tmp_path):
    task = daquar(write_daquar(tmp_path, {"train": 10, "dev": 3, "test": 4}))
    assert task.card.splits["report"] == "test"
    assert len({e.cluster for e in task.examples("report")}) == 4


def test_answers_match_as_whole_strings(folder):
    task = daquar(folder)
    examples = task.examples("report")[:2]
    assert task.score(examples, ["red", "2, 3"]).per_example == [1.0, 0.0]


def test_photos_are_decoded_as_rgb(folder):
    images = daquar(folder).images("train")
    assert images.name == "daquar/images"
    opened = images.open("image3")
    assert isinstance(opened, Image.Image) and (opened.mode, opened.size) == ("RGB", (24, 16))


def test_fingerprint_follows_the_files(folder):
    before = daquar(folder).fingerprint()
    table = pd.read_parquet(folder / "qa.parquet")
    table.loc[0, "answer"] = "pink"
    table.to_parquet(folder / "qa.parquet")
    assert daquar(folder).fingerprint() != before


def test_absent_data_are_explained(tmp_path):
    assert "--data" in (Daquar().missing() or "")
    said = Daquar(tmp_path).missing() or ""
    assert "qa.parquet" in said and "mpi-inf.mpg.de" in said
    (write_daquar(tmp_path, {"train": 4, "dev": 2}) / "images.parquet").unlink()
    said = Daquar(tmp_path).missing() or ""
    assert "images.parquet" in said and "qa.parquet" not in said
    with pytest.raises(DataError, match=r"images\.parquet: cannot be read"):
        Daquar(tmp_path).fingerprint()


def one_line(error: pytest.ExceptionInfo[DataError]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", ["qa.parquet", "images.parquet"])
@pytest.mark.parametrize("keep", [0, 0.5, 0.99])
def test_a_truncated_file_is_named(folder, name, keep):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(keep * len(content))])
    with pytest.raises(DataError) as error:
        daquar(folder).examples("train")
    assert name in one_line(error) and "not a whole Parquet file" in one_line(error)


def test_an_absent_column_is_named(folder):
    pd.read_parquet(folder / "qa.parquet").drop(columns="answer").to_parquet(folder / "qa.parquet")
    with pytest.raises(DataError) as error:
        daquar(folder).examples("train")
    assert "qa.parquet: column answer is absent" in one_line(error)
    assert daquar(folder).card.splits["report"] == "dev"  # listing tasks still works


def test_a_column_of_another_type_is_named(folder):
    table = pd.read_parquet(folder / "qa.parquet")
    table.assign(question_id="x").to_parquet(folder / "qa.parquet")
    with pytest.raises(DataError, match=r"column question_id is absent or of another type"):
        daquar(folder).examples("train")


def test_an_empty_cell_is_named(folder):
    table = pd.read_parquet(folder / "qa.parquet")
    table.loc[3, "answer"] = None
    table.to_parquet(folder / "qa.parquet")
    with pytest.raises(DataError, match=r"column answer has empty cells"):
        daquar(folder).examples("train")


def test_questions_about_unknown_photos_are_counted(folder):
    pd.read_parquet(folder / "images.parquet").iloc[:-2].to_parquet(folder / "images.parquet")
    assert daquar(folder).examples("train")
    with pytest.raises(DataError) as error:
        daquar(folder).examples("report")
    assert "2 of 6 images of the dev are not in the image files (first: image24)" in one_line(error)


def test_a_photo_that_does_not_decode_is_named(folder):
    table = pd.read_parquet(folder / "images.parquet")
    table.at[1, "image_jpeg"] = b"not a picture"
    table.at[2, "image_jpeg"] = table.at[2, "image_jpeg"][:-40]
    table.to_parquet(folder / "images.parquet")
    images = daquar(folder).images("train")
    assert images.open("image0").size == (24, 16)
    for broken in ("image1", "image2"):
        with pytest.raises(DataError, match=rf"images\.parquet: image '{broken}' is no whole PNG or JPEG"):
            images.open(broken)
    with pytest.raises(DataError, match="no image 'image99'"):
        images.open("image99")


def test_the_real_questions(real_folder):
    task = Daquar(real_folder("daquar").parent)
    assert len(task.examples("train")) + len(task.examples("select")) == 5963
    assert len(task.examples("report")) == 832
    found = floors(task)
    assert found["majority"] == pytest.approx(0.042, abs=0.0005)  # as the data's notes say
    assert found["question-only"] > 0.147  # what the first four words give
