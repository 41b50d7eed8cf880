import csv
import json

import pandas as pd
import pytest
from PIL import Image
from synthetic_files import write_nlvr

from tasks import DataError, Example
from tasks.floors import floors
from tasks.metrics.consistency import consistency
from tasks.metrics.exact import exact
from tasks.nlvr import Nlvr, in_two_rows


@pytest.fixture
def folder(tmp_path):
    return write_nlvr(tmp_path)


def nlvr(folder):
    return Nlvr(folder.parent)


def bucket(example: Example) -> int:
    """Bucket of a synthetic example."""
    return int(example.cluster) % 20


def test_whole_buckets_are_held_out_and_derived_labels_only_train(folder):
    task = nlvr(folder)
    train, select, report = (task.examples(role) for role in ("train", "select", "report"))
    assert (len(train), len(select), len(report)) == (36 * 2 * 2, 4, 12)  # two of twenty buckets, two sentences each
    assert not {bucket(e) for e in train} & {bucket(e) for e in select}
    assert all(e.id.endswith("-0-0") for e in select)  # part 0 is official, part 1 derived; then the order of boxes
    assert {e.id.split("-", 1)[1] for e in train} == {"0-0", "0-1", "1-0", "1-1"}
    assert "weakly labelled" in task.card.splits["train"]


def test_without_derived_labels(tmp_path):
    task = nlvr(write_nlvr(tmp_path, derived=False))
    assert task.missing() is None
    assert len(task.examples("train")) == 36 * 2
    assert "weakly labelled" not in task.card.splits["train"]


def test_an_example_is_one_picture_in_the_first_order_of_its_boxes(folder):
    task = nlvr(folder)
    example = task.examples("report")[0]
    assert (example.id, example.images, example.cluster) == ("100-0-0", ("dev-100-0-0.png",), "100")
    assert example.targets in (("true",), ("false",))
    assert task.decoding.choices == ("true", "false")
    picture = task.images("report").open("dev-100-0-0.png")
    assert (picture.mode, picture.size) == ("RGB", (20, 20))  # 40 x 10 in the file
    assert len(task.images("report").ids()) == 12


def test_boxes_are_laid_out_in_two_rows():
    picture = Image.new("RGB", (400, 100), "gray")
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    for number, colour in enumerate(colours):
        picture.paste(colour, (150 * number, 0, 150 * number + 100, 100))
    square = in_two_rows(picture)
    assert square.size == (200, 200)
    assert [square.getpixel(at) for at in ((0, 0), (199, 99), (99, 199))] == colours
    assert square.getpixel((100, 100)) == picture.getpixel((120, 50))
    whole = Image.new("RGB", (300, 100))
    assert in_two_rows(whole) is whole


def test_training_and_selection_share_an_image_set(folder):
    task = nlvr(folder)
    assert task.images("train") is task.images("select")
    assert (task.images("train").name, task.images("report").name) == ("nlvr/train", "nlvr/dev")


def test_a_test_file_reports_instead_of_dev(tmp_path):
    task = nlvr(write_nlvr(tmp_path, test=True))
    assert task.card.splits["report"] == "test"
    assert [e.cluster for e in task.examples("report")] == [str(n) for n in range(200, 208)]
    assert task.images("report").name == "nlvr/test"


def test_consistency_is_over_the_pictures_of_a_sentence():
    task = Nlvr()
    examples = [Example(f"{n}-{m}", "s", ("i",), references=("true",), cluster=f"{n}") for n in (1, 2) for m in (0, 1)]
    scored = task.score(examples, ["true", "true", "true", "false"])
    assert (scored.value, scored.more) == (0.75, {"consistency": 0.5})


def test_absent_data_are_explained(tmp_path):
    assert "HARNESS_DATA" in (Nlvr().missing() or "")
    (write_nlvr(tmp_path) / "dev.parquet").unlink()
    said = Nlvr(tmp_path).missing() or ""
    assert "lacks dev.parquet" in said and "github.com/lil-lab/nlvr" in said


def test_a_label_that_is_no_boolean_is_refused(folder):
    table = pd.read_parquet(folder / "dev.parquet")
    table.assign(label="false").to_parquet(folder / "dev.parquet")
    with pytest.raises(DataError, match=r"dev\.parquet: column label is absent or of another type"):
        nlvr(folder).examples("report")


def test_an_identifier_without_a_sentence_number_is_refused(folder):
    table = pd.read_parquet(folder / "dev.parquet")
    table.assign(identifier="x").to_parquet(folder / "dev.parquet")
    with pytest.raises(DataError, match="identifier 'x'"):
        nlvr(folder).examples("report")


def test_a_picture_under_two_rows_is_refused(folder):
    table = pd.read_parquet(folder / "dev.parquet")
    pd.concat([table, table.assign(identifier=table.identifier + "1")]).to_parquet(folder / "dev.parquet")
    with pytest.raises(DataError, match=r"dev\.parquet: 12 image ids occur twice"):
        nlvr(folder).examples("report")


def test_the_real_judgements(real_folder):
    task = Nlvr(real_folder("nlvr").parent)
    assert len(task.examples("report")) == 989
    assert 60 < len(task.examples("select")) < 140
    assert len(task.examples("train")) > 7500
    assert floors(task)["majority"] == pytest.approx(0.553, abs=0.0005)


def test_scores_of_the_official_script(real_folder):
    """Official metrics_images.py on all six orders of the boxes: precision, and consistency by sentence number."""
    folder = real_folder("nlvr")
    official = json.loads((folder / "dev_scores.json").read_text())
    truth = {
        f"dev-{row['identifier']}-{order}.png": row["label"]
        for row in map(json.loads, (folder / "dev.json").read_text().splitlines())
        for order in range(6)
    }
    with (folder / "dev_predictions.csv").open() as opened:
        said = dict(csv.reader(opened))
    value, each = exact(list(said.values()), [(truth[file],) for file in said])
    assert len(said) == official["predictions"]
    assert value == pytest.approx(official["precision"])
    assert consistency(each, [file.split("-")[1] for file in said]) == pytest.approx(official["consistency"])
