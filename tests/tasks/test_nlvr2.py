import csv
import json

import pytest
from synthetic_files import write_nlvr2

from tasks import DataError
from tasks.nlvr2 import Nlvr2

ROLES = ("train", "select", "report")


@pytest.fixture
def data(tmp_path):
    write_nlvr2(tmp_path)
    return tmp_path


def refused(data, role="report"):
    with pytest.raises(DataError) as error:
        Nlvr2(data).examples(role)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_an_example_is_a_sentence_about_a_left_and_a_right_photo(data):
    task = Nlvr2(data)
    assert [len(task.examples(role)) for role in ROLES] == [24, 8, 12]
    example = task.examples("select")[1]
    assert (example.id, example.text, example.cluster) == ("dev-0-3-1", "There are 0 dogs.", "dev-0")
    assert example.images == ("dev-0-3-img0.png", "dev-0-3-img1.png")
    assert (example.targets, example.references) == (("false",), ("false",))
    left, right = (task.images("select").open(image).getpixel((0, 0)) for image in example.images)
    assert (left, right) == ((255, 0, 0), (0, 128, 0))


def test_photos_lie_in_any_folders_below(data):
    task = Nlvr2(data)
    before = task.images("train").fingerprint
    assert len(task.images("train").ids()) == 48
    images = data / "nlvr2" / "images"
    for path in sorted(images.glob("train/*/*.png")):
        path.rename(images / path.name)
    elsewhere = data / "elsewhere"
    (images / "dev").rename(elsewhere)
    (images / "linked").symlink_to(elsewhere, target_is_directory=True)
    again = Nlvr2(data)
    assert again.missing() is None
    assert again.images("train").fingerprint == before
    assert again.images("select").open("dev-0-0-img0.png").mode == "RGB"


def test_consistency_is_over_the_pairs_of_a_sentence(data):
    task = Nlvr2(data)
    examples = task.examples("report")
    said = [example.references[0] for example in examples]
    said[0] = {"true": "false", "false": "true"}[said[0]]
    scored = task.score(examples, said)
    assert (scored.value, scored.more) == (11 / 12, {"consistency": 5 / 6})


def test_absent_data_are_explained(data, tmp_path_factory):
    assert "HARNESS_DATA" in (Nlvr2().missing() or "")
    said = Nlvr2(tmp_path_factory.mktemp("empty")).missing() or ""
    assert "lacks nlvr2/train.json, nlvr2/dev.json, nlvr2/test1.json, nlvr2/images/: " in said
    for path in sorted((data / "nlvr2" / "images" / "test1").iterdir())[:3]:
        path.unlink()
    said = Nlvr2(data).missing() or ""
    assert said.startswith("3 of 88 photos are not in ") and "(first: test1-0-0-img0.png)" in said
    assert "on request" in said


def test_a_link_to_nowhere_is_an_absent_photo(data):
    path = data / "nlvr2" / "images" / "dev" / "dev-0-0-img0.png"
    path.unlink()
    path.symlink_to(data / "nowhere")
    assert (Nlvr2(data).missing() or "").startswith("1 of 88 photos")


def test_mixed_up_files_are_named(data):
    path = data / "nlvr2" / "test1.json"
    path.write_text((data / "nlvr2" / "dev.json").read_text())
    assert f"{path}: identifier 'dev-0-0-1'; expected one such as test1-12-0-1" in refused(data)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"identifier": "test1-0-0"}, "identifier 'test1-0-0'; expected one such as"),
        ({"identifier": "test1-0--1"}, "identifier 'test1-0--1'; expected one such as"),
        ({"identifier": 7}, "line 2, column"),
        ({"label": "maybe"}, "test1-0-3-1: label 'maybe'; expected True or False"),
        ({"label": True}, "label is absent or of another type"),
        ({"sentence": None}, "sentence is absent or of another type"),
        ({"identifier": "test1-0-0-1"}, "example 'test1-0-0-1' of test-P occurs twice"),
    ],
)
def test_a_record_that_is_not_as_expected_is_named(data, change, said):
    path = data / "nlvr2" / "test1.json"
    lines = path.read_text().splitlines()
    lines[1] = json.dumps(json.loads(lines[1]) | change)
    path.write_text("\n".join(lines))
    message = refused(data)
    assert said in message and str(data) in message


def test_a_broken_line_is_named(data):
    path = data / "nlvr2" / "train.json"
    path.write_text(path.read_text()[:-30])
    assert f"{path}: line 24, column" in refused(data, "train")


def test_scores_of_the_official_script(real_folder, tmp_path):
    """The owners' 1,001 lines of dev, here under the name of the reported file, with empty photos."""
    folder = real_folder("nlvr2")
    lines = (folder / "dev_subset.json").read_text().replace('"identifier": "dev-', '"identifier": "test1-')
    images = tmp_path / "nlvr2" / "images"
    images.mkdir(parents=True)
    (tmp_path / "nlvr2" / "test1.json").write_text(lines)
    for name in ("train", "dev"):
        (tmp_path / "nlvr2" / f"{name}.json").touch()
    task = Nlvr2(tmp_path)
    missing = task.missing() or ""
    names = task.photo_names()
    assert missing.startswith(f"{len(names):,} of {len(names):,} photos")
    for name in names:
        (images / name).touch()
    task = Nlvr2(tmp_path)
    assert task.missing() is None
    with (folder / "dev_subset_predictions.csv").open() as opened:
        said = {name.replace("dev-", "test1-"): answer.lower() for name, answer in csv.reader(opened)}
    examples = task.examples("report")
    scored = task.score(examples, [said[example.id] for example in examples])
    official = json.loads((folder / "dev_subset_scores.json").read_text())
    assert len(examples) == 1001
    assert {"accuracy": scored.value, **scored.more} == pytest.approx(
        {name: official[name] for name in ("accuracy", "consistency")}
    )
