"""``data status``, ``data check`` and ``data prepare`` on small files in the owners' layout."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock

sys.path.insert(0, str(Path(__file__).parents[1] / "tasks"))

from synthetic_files import picture, write_coco, write_daquar, write_flickr8k, write_nlvr2, write_vqav2

from harness.cli.program import invoke
from tasks.base import Card
from tasks.coco_caption import CocoCaption
from tasks.daquar import Daquar
from tasks.flickr8k import Flickr8k
from tasks.gqa import Gqa
from tasks.nlvr import Nlvr

Captured = pytest.CaptureFixture[str]


def outcomes(arguments: list[str], capsys: Captured, code: int) -> dict[str, tuple[str, str]]:
    """What `data check` says: place and check -> state and reason."""
    assert invoke(["data", "check", *arguments, "--json"]) == code
    rows = json.loads(capsys.readouterr().out)
    return {f"{row['place']} {row['check']}".strip(): (row["state"], row["reason"]) for row in rows}


def sized(monkeypatch: pytest.MonkeyPatch, task: type, sizes: dict[str, int]) -> None:
    """Let the card of a task say other sizes."""
    card = task.card.fget
    monkeypatch.setattr(task, "card", property(lambda self: Card(**(card(self).model_dump() | {"sizes": sizes}))))


def test_status_says_of_each_task_what_is_there_and_how_to_get_the_rest(tmp_path: Path, capsys: Captured) -> None:
    write_daquar(tmp_path, {"train": 4, "dev": 2})
    folder = write_coco(tmp_path)
    for photo in sorted((folder / "val2014").iterdir())[:3]:
        photo.unlink()
    assert invoke(["data", "status", "daquar,coco*", "gqa", "mini-vqa", "--data", str(tmp_path), "--json"]) == 0
    rows = {row["task"]: row for row in json.loads(capsys.readouterr().out)}
    assert {name: row["state"] for name, row in rows.items()} == {
        "daquar": "ready",
        "coco-caption": "incomplete",
        "gqa": "absent",
        "mini-vqa": "embedded",
    }
    assert rows["daquar"]["bytes"] == sum(path.stat().st_size for path in (tmp_path / "daquar").iterdir())
    assert rows["coco-caption"]["there"] == "1 of 1 files, 45 of 48 in coco/train2014 and coco/val2014"
    assert rows["coco-caption"]["missing"].startswith("3 of 48 photos are not in ")
    assert "questions1.2.zip" in rows["gqa"]["missing"] and rows["gqa"]["licence"].startswith("CC BY 4.0")
    assert invoke(["data", "status", "--data", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "coco-caption: 3 of 48 photos are not in " in said and "\ndaquar " in said


def test_photos_are_counted_while_the_files_that_name_them_are_missing(tmp_path: Path) -> None:
    (write_coco(tmp_path) / "dataset_coco.json").unlink()
    photos = CocoCaption(tmp_path).parts()[-1]
    assert (photos.there, photos.wanted) == (48, None)


def test_whole_data_pass_every_check(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    write_coco(tmp_path)
    sized(monkeypatch, CocoCaption, {"train": 180, "select+report": 12})
    found = outcomes(["coco-caption", "--data", str(tmp_path)], capsys, 0)
    assert {state for state, _ in found.values()} == {"passed"}
    assert found["train records"][1] == "180 examples in Karpathy train"
    assert found["pictures"][1] == "48 images" and found["counts"][1] == "as the card says"


def test_part_of_a_data_set_is_told_with_counts(tmp_path: Path, capsys: Captured) -> None:
    folder = write_coco(tmp_path)
    gone, broken = sorted((folder / "val2014").iterdir())[:2]
    gone.unlink()
    broken.write_bytes(broken.read_bytes()[:100])
    found = outcomes(["coco-caption", "--data", str(tmp_path)], capsys, 1)
    assert found["files"] == ("failed", found["files"][1])
    assert found["files"][1].startswith("1 of 48 photos are not in ") and gone.name in found["files"][1]
    state, reason = found["pictures"]
    assert state == "failed"
    assert "1 of 48 images are not there (" in reason and "1 of 48 images do not decode (" in reason
    assert f"{broken}: image " in reason and "fetch the file again" in reason
    assert "180 of 566,747 in train, 6 of 5,000 in select, 6 of 5,000 in report" in found["counts"][1]
    assert found["train records"][0] == "passed"  # the captions are whole


@pytest.mark.parametrize(
    ("change", "place", "reason"),
    [
        (lambda text: text[:900], "train records", "line 1, column "),
        (lambda text: text.replace('"cocoid": 14,', '"cocoid": 7,'), "train records", "image 7 occurs twice"),
        (lambda text: text.replace('"raw": "A', '"new": "A'), "report records", "its sentences hold no caption"),
    ],
)
def test_broken_records_are_told_with_file_and_place(change, place, reason, tmp_path: Path, capsys: Captured) -> None:
    path = write_coco(tmp_path) / "dataset_coco.json"
    path.write_text(change(path.read_text()))
    found = outcomes(["coco-caption", "--data", str(tmp_path)], capsys, 1)
    assert found[place][0] == "failed" and str(path) in found[place][1] and reason in found[place][1]
    assert {found[name] for name in ("counts", "splits", "pictures")} == {("skipped", "the records are not whole")}


def test_without_names_what_is_there_is_checked(tmp_path: Path, capsys: Captured) -> None:
    assert invoke(["data", "check", "--data", str(tmp_path)]) == 3
    assert "no data of any task is here" in capsys.readouterr().err
    write_daquar(tmp_path, {"train": 4, "test": 2})
    assert invoke(["data", "check", "--data", str(tmp_path)]) == 1
    *lines, last = capsys.readouterr().out.splitlines()
    assert all(line.split()[1] == "daquar" for line in lines)
    assert [line for line in lines if line.startswith("failed")] == [
        "failed  daquar counts: not the whole data set: 8 of 6,795 in train+select, 4 of 5,673 in report; "
        "scores on it compare with nothing published"
    ]
    assert last == "8 checks, 1 failed"


def test_images_in_two_splits_are_told(tmp_path: Path, capsys: Captured) -> None:
    folder = write_daquar(tmp_path, {"train": 4, "test": 2})
    table = pd.read_parquet(folder / "qa.parquet")
    table.loc[table.split == "test", "image_id"] = "image0"
    table.to_parquet(folder / "qa.parquet")
    state, reason = outcomes(["daquar", "--data", str(tmp_path)], capsys, 1)["splits"]
    assert state == "failed" and reason.startswith("1 images are in train, about ") and "and in test (image0)" in reason


def downloads_of_coco(folder: Path, made: Path) -> None:
    """VQA v2 and COCO as their owners give them out, in zip files but for one part of the photos."""
    write_coco(made)
    write_vqav2(made)
    folder.mkdir()
    with zipfile.ZipFile(folder / "caption_datasets.zip", "w") as archive:
        archive.write(made / "coco" / "dataset_coco.json", "dataset_coco.json")
        archive.writestr("dataset_flickr8k.json", "{}")
    for path in sorted((made / "vqav2").iterdir()):
        with zipfile.ZipFile(folder / f"{path.stem}.zip", "w") as archive:
            archive.write(path, path.name)
    with zipfile.ZipFile(folder / "train2014.zip", "w") as archive:
        for path in sorted((made / "coco" / "train2014").iterdir()):
            archive.write(path, f"train2014/{path.name}")
    shutil.copytree(made / "coco" / "val2014", folder / "unpacked" / "val2014")


def test_zip_files_become_the_layout_and_a_stopped_call_goes_on(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, source, data = tmp_path / "made", tmp_path / "downloads", tmp_path / "data"
    downloads_of_coco(source, made)
    command = ["data", "prepare", "vqav2", "--from", str(source), "--data", str(data)]

    write = zipfile.ZipFile.open

    def stopping(archive: zipfile.ZipFile, member: str, *rest: object):
        if member.endswith("000000000070.jpg"):
            raise KeyboardInterrupt
        return write(archive, member, *rest)

    monkeypatch.setattr(zipfile.ZipFile, "open", stopping)
    assert invoke(command) == 130
    monkeypatch.undo()
    assert not list(data.rglob("*.part"))
    capsys.readouterr()
    assert invoke(command) == 0
    # 5 files of questions, answers and captions, and 9 photos, had been written before
    assert capsys.readouterr().out.startswith("vqav2: 39 files written, 14 were there already\n")
    for path in made.rglob("*.*"):
        assert (data / path.relative_to(made)).read_bytes() == path.read_bytes()
    assert invoke(command) == 0
    assert capsys.readouterr().out.startswith("vqav2: 0 files written, 53 were there already\n")
    found = outcomes(["vqav2", "--data", str(data)], capsys, 1)
    assert found["checksums"] == ("passed", "53 prepared files")
    first = next((data / "coco" / "train2014").iterdir())
    first.write_bytes(picture("JPEG", "black"))
    (data / "vqav2" / "v2_mscoco_val2014_annotations.json").unlink()
    state, reason = outcomes(["vqav2", "--data", str(data)], capsys, 1)["checksums"]
    assert state == "failed" and reason.startswith("2 of 53 prepared files changed (coco/train2014/")


def test_two_processes_do_not_write_into_one_data_folder(tmp_path: Path, capsys: Captured) -> None:
    made, source, data = tmp_path / "made", tmp_path / "downloads", tmp_path / "data"
    downloads_of_coco(source, made)
    command = ["data", "prepare", "coco-caption", "--from", str(source), "--data", str(data)]
    (data / ".prepared").mkdir(parents=True)
    with FileLock(data / ".prepared" / "lock"):
        assert invoke(command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{data}: another process prepares data there; wait for it" in line
    assert not (data / "coco").exists()
    assert invoke(command) == 0


def test_what_the_downloads_lack_is_told(tmp_path: Path, capsys: Captured) -> None:
    made, source, data = tmp_path / "made", tmp_path / "downloads", tmp_path / "data"
    downloads_of_coco(source, made)
    (source / "train2014.zip").unlink()
    command = ["data", "prepare", "coco-caption", "--from", str(source), "--data", str(data)]
    assert invoke(command) == 1
    said = capsys.readouterr().out
    assert "coco-caption: 19 files written, 0 were there already" in said and "data lacks coco/train2014/: " in said
    (source / "train2014.zip").write_bytes(b"PK nothing")
    assert invoke(command) == 2
    assert "train2014.zip: is not a whole zip file" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert invoke(["data", "prepare", "gqa", "--from", str(tmp_path / "empty"), "--data", str(data)]) == 2
    assert "empty: nothing found for gqa: " in capsys.readouterr().err
    assert invoke(["data", "prepare", "mini-vqa", "--from", str(source), "--data", str(data)]) == 2
    assert "mini-vqa: reads no files that could be prepared" in capsys.readouterr().err
    assert Gqa(data).missing() is not None


def test_a_damaged_member_of_a_zip_file_is_one_line(tmp_path: Path, capsys: Captured) -> None:
    made, source, data = tmp_path / "made", tmp_path / "downloads", tmp_path / "data"
    downloads_of_coco(source, made)
    with zipfile.ZipFile(source / "caption_datasets.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(made / "coco" / "dataset_coco.json", "dataset_coco.json")
    whole = (source / "caption_datasets.zip").read_bytes()
    start = 30 + len("dataset_coco.json")  # of what is packed
    packing = whole.index(b"PK\x01\x02") + 10  # how it is packed, as the list at the end says
    for place in (start, packing):
        (source / "caption_datasets.zip").write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
        assert invoke(["data", "prepare", "coco-caption", "--from", str(source), "--data", str(data)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "caption_datasets.zip/dataset_coco.json: cannot be read whole" in line and "fetch it again" in line
    assert not list(data.rglob("dataset_coco.json"))


def test_two_files_of_one_name_are_told_apart_by_their_folders_or_refused(tmp_path: Path, capsys: Captured) -> None:
    source, data = tmp_path / "clone", tmp_path / "data"
    write_nlvr2(tmp_path / "made")
    shutil.copytree(tmp_path / "made" / "nlvr2", source / "nlvr2" / "data")
    (source / "nlvr" / "train").mkdir(parents=True)
    (source / "nlvr" / "train" / "train.json").write_text("{}")
    assert invoke(["data", "prepare", "nlvr2", "--from", str(source), "--data", str(data)]) == 0
    (source / "nlvr2" / "old").mkdir()
    (source / "nlvr2" / "old" / "train.json").write_text("{}")
    capsys.readouterr()
    assert invoke(["data", "prepare", "nlvr2", "--from", str(source), "--data", str(data)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "are both called train.json and differ in size; give --from the folder" in line


def test_daquar_is_made_from_the_owners_lists(tmp_path: Path, capsys: Captured) -> None:
    source = tmp_path / "downloads"
    (source / "nyu_depth_images").mkdir(parents=True)
    lists = {"train": [(1, "desk"), (2, "lamp"), (3, "red, blue")], "test": [(4, "2")]}
    for split, pairs in lists.items():
        lines = [f"what is on the {split} table in the image{number} ?\n{answer}\n" for number, answer in pairs]
        (source / f"qa.894.raw.{split}.txt").write_text("".join(lines))
        for number, _ in pairs:
            (source / "nyu_depth_images" / f"image{number}.png").write_bytes(picture("PNG", "red"))
    command = ["data", "prepare", "daquar", "--from", str(source), "--data", str(tmp_path)]
    assert invoke(command) == 0
    task = Daquar(tmp_path)
    (reported,) = task.examples("report")
    assert (reported.text, reported.references, reported.images) == ("what is on the test table", ("2",), ("image4",))
    assert task.card.splits["report"] == "test"
    learnt = [*task.examples("train"), *task.examples("select")]
    assert sorted(one.references for one in learnt) == [("desk",), ("lamp",), ("red, blue",)]
    assert task.images("report").open("image4").size == (24, 16)
    shutil.rmtree(tmp_path / "daquar")
    (source / "qa.894.raw.train.txt").write_text("what is it ?\ndesk\n")
    capsys.readouterr()
    assert invoke(command) == 2
    assert "qa.894.raw.train.txt: line 1: expected a question that ends with" in capsys.readouterr().err
    assert not (tmp_path / "daquar" / "qa.parquet").exists()


def test_flickr8k_is_made_from_the_owners_two_zip_files(tmp_path: Path, capsys: Captured) -> None:
    source = tmp_path / "downloads"
    source.mkdir()
    names = {"train": ["11_a.jpg", "12_b.jpg"], "dev": ["13_c.jpg"], "test": ["14_d.jpg"]}
    with zipfile.ZipFile(source / "Flickr8k_text.zip", "w") as archive:
        for split, files in names.items():
            archive.writestr(f"Flickr_8k.{split}Images.txt", "\n".join(files) + "\n")
        tokens = [
            f"{name}#{n}\tA dog {n} on {name[:2]} ." for files in names.values() for name in files for n in (0, 1)
        ]
        archive.writestr("Flickr8k.token.txt", "\n".join(tokens))
    with zipfile.ZipFile(source / "Flickr8k_Dataset.zip", "w") as archive:
        for name in ("11_a", "12_b", "13_c", "14_d"):
            archive.writestr(f"Flicker8k_Dataset/{name}.jpg", picture("JPEG", "red"))
    command = ["data", "prepare", "flickr8k", "--from", str(source), "--data", str(tmp_path)]
    assert invoke(command) == 0
    task = Flickr8k(tmp_path)
    (reported,) = task.examples("report")
    assert (reported.id, reported.references) == ("14", ("A dog 0 on 14 .", "A dog 1 on 14 ."))
    assert {one.cluster for role in ("train", "select") for one in task.examples(role)} == {"11", "12"}
    assert task.images("report").open("14").mode == "RGB"
    (tmp_path / "flickr8k_1000" / "images.parquet").unlink()
    with zipfile.ZipFile(source / "Flickr8k_Dataset.zip", "w") as archive:
        archive.writestr("Flicker8k_Dataset/11_a.jpg", picture("JPEG", "red"))
    capsys.readouterr()
    assert invoke(command) == 2
    assert "no file 12_b.jpg, nor in a zip file" in capsys.readouterr().err


def test_nlvr_is_made_from_a_clone_of_the_owners_repository(tmp_path: Path, capsys: Captured) -> None:
    source = tmp_path / "clone"
    for split, count in (("train", 4), ("dev", 2)):
        folder = source / "nlvr" / split
        lines = []
        for number in range(count):
            below = folder / "images" / str(number)
            below.mkdir(parents=True)
            label = "true" if number % 2 else "false"
            name = f"{number}-0"
            line = {"identifier": name, "sentence": "There is a box", "label": label, "directory": str(number)}
            lines.append(json.dumps(line))
            for order in range(6):
                (below / f"{split}-{name}-{order}.png").write_bytes(picture("PNG", "red", (40, 10)))
        (folder / f"{split}.json").write_text("\n".join(lines))
    (source / "nlvr" / "test").mkdir()
    (source / "nlvr" / "test" / "test.json").write_text('{"identifier": "1-0", "sentence": "Hidden"}\n')
    command = ["data", "prepare", "nlvr", "--from", str(source), "--data", str(tmp_path)]
    assert invoke(command) == 0
    task = Nlvr(tmp_path)
    assert [one.references for one in task.examples("report")] == [("false",), ("true",)]
    assert (len(task.examples("train")), len(task.examples("select"))) == (18, 1)
    assert task.images("report").open("dev-0-0-0.png").size == (20, 20)
    shutil.rmtree(tmp_path / "nlvr")
    (source / "nlvr" / "dev" / "dev.json").write_text('{"label": "true"}\n')
    capsys.readouterr()
    assert invoke(command) == 2
    assert "dev.json: line 1: expected an object with identifier, sentence and label" in capsys.readouterr().err


def test_flickr8k_that_is_there_already_is_checked_as_it_is(tmp_path: Path, capsys: Captured) -> None:
    write_flickr8k(tmp_path, {"train": 4, "dev": 2})
    found = outcomes(["flickr8k", "--data", str(tmp_path)], capsys, 1)
    assert found["checksums"] == ("passed", "")
    assert found["pictures"] == ("passed", "6 images")
