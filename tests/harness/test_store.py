"""The cache: built once, whole or not at all, built again when broken."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_tasks import Plain
from small_world import FakeEncoder

from harness.errors import UserError
from harness.features import features, pool_frames
from harness.store import MANIFEST, Store, write_array
from tasks import DataError

KEY = {"version": 1}


def build_slowly(folder, path):
    def build(place):
        (place / "first").write_text("half")
        path.touch()
        time.sleep(60)

    Store(folder).entry("things", KEY, build)


def write(text):
    return lambda place: (place / "file").write_text(text) and None


def test_an_entry_is_built_once(tmp_path):
    first = Store(tmp_path).entry("things", KEY, write("one"))
    second = Store(tmp_path).entry("things", KEY, write("two"))
    assert first == second
    assert (second / "file").read_text() == "one"
    other = Store(tmp_path).entry("things", {"version": 2}, write("two"))
    assert (other / "file").read_text() == "two"


@pytest.mark.parametrize(
    "damage",
    [
        lambda place: (place / "file").write_text("on"),
        lambda place: (place / "file").write_text("ono"),
        lambda place: (place / "file").unlink(),
        lambda place: (place / MANIFEST).write_text('{"key":'),
        lambda place: (place / MANIFEST).unlink(),
    ],
    ids=["truncated", "changed", "lost", "broken manifest", "no manifest"],
)
def test_a_damaged_entry_is_built_again(tmp_path, damage):
    place = Store(tmp_path).entry("things", KEY, write("one"))
    damage(place)
    assert (Store(tmp_path).entry("things", KEY, write("two")) / "file").read_text() == "two"


def test_a_failed_build_leaves_nothing(tmp_path):
    def build(place):
        write("half")(place)
        raise DataError("image 7 is broken")

    with pytest.raises(DataError):
        Store(tmp_path).entry("things", KEY, build)
    assert (Store(tmp_path).entry("things", KEY, write("whole")) / "file").read_text() == "whole"


def test_a_killed_build_is_not_taken_for_whole(tmp_path):
    started = tmp_path / "started"
    process = multiprocessing.get_context("fork").Process(target=build_slowly, args=(tmp_path, started))
    process.start()
    deadline = time.monotonic() + 60
    while not started.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.join()
    place = Store(tmp_path).entry("things", KEY, write("whole"))
    assert sorted(path.name for path in place.iterdir()) == ["file", MANIFEST]


def test_waiting_for_another_builder_reports_progress(tmp_path):
    started = tmp_path / "started"
    process = multiprocessing.get_context("fork").Process(target=build_slowly, args=(tmp_path, started))
    process.start()
    deadline = time.monotonic() + 60
    while not started.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    told = []

    def progress(what, done, total):
        told.append(what)
        process.kill()

    Store(tmp_path).entry("things", KEY, write("whole"), progress)
    process.join()
    assert "another process" in told[0]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match=str(tmp_path)):
        Store(tmp_path).entry("things", KEY, write("one"))


def test_a_full_disk_is_named(tmp_path):
    def build(place):
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match=r"No space left.*HARNESS_CACHE"):
        Store(tmp_path).entry("things", KEY, build)


FULL = Path("/dev/full")  # a file on which nothing can be written for lack of space


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("rows", [1, 100_000], ids=["less than a buffer", "more than a buffer"])
def test_a_disk_that_fills_while_an_array_is_written_is_named(tmp_path, rows):
    def build(folder):
        (folder / "rows.npy").symlink_to(FULL)
        write_array(folder / "rows.npy", (rows,), np.float64, [np.zeros(rows)])

    with pytest.raises(UserError, match=r"No space left.*HARNESS_CACHE"):
        Store(tmp_path).entry("things", KEY, build)


def test_blocks_make_one_array(tmp_path):
    path = tmp_path / "array.npy"
    write_array(path, (5, 2), np.float16, (np.full((rows, 2), rows, np.float32) for rows in (2, 3)))
    read = np.load(path, mmap_mode="r")
    assert read.dtype == np.float16
    assert read.tolist() == [[2, 2]] * 2 + [[3, 3]] * 3


def test_a_value_is_computed_once(tmp_path):
    assert Store(tmp_path).remembered("floors", KEY, lambda: {"majority": 0.25, "question-only": None}) == (
        Store(tmp_path).remembered("floors", KEY, lambda: pytest.fail("computed twice"))
    )


def test_features_are_encoded_once_and_mapped(tmp_path):
    encoder, told = FakeEncoder(), []
    first = features(Store(tmp_path), encoder, Plain("train"), lambda *state: told.append(state), batch_size=10)
    again = features(Store(tmp_path), encoder, Plain("train"))
    assert encoder.calls == 3  # 24 images in batches of 10
    assert [done for _, done, _ in told] == [10, 20, 24]
    assert isinstance(again.rows, np.memmap)
    assert again.rows.dtype == np.float16
    assert (first.rows == again.rows).all()


def test_features_are_found_by_id(tmp_path):
    found = features(Store(tmp_path), FakeEncoder(), Plain("report"))
    block = found.gather(np.array([found.find(["1", "2"]), found.find(["2", "0"])]))
    assert block.shape == (2, 2, 4, 6)
    assert block[0, 0, 0, :3].tolist() == [0, 1, 0]  # image 1 is green
    assert block[1, 0, 0, :3].tolist() == [0, 0, 1]  # image 2 is blue
    with pytest.raises(DataError, match=r"'99'.*plain/report"):
        found.find(["99"])


def test_truncated_features_are_encoded_again(tmp_path):
    encoder = FakeEncoder()
    features(Store(tmp_path), encoder, Plain("report"))
    (path,) = tmp_path.glob("features/*/rows.npy")
    os.truncate(path, path.stat().st_size - 10)
    assert len(features(Store(tmp_path), encoder, Plain("report")).rows) == 9
    assert encoder.calls == 2


class Reel(Plain):
    """Clips of four frames: plain-coloured but for the second frame, which is black."""

    frames = 4

    def open_frames(self, image_id):
        picture = self.open(image_id)
        return [picture, Image.new("RGB", picture.size), picture, picture]


def test_a_clip_has_the_tokens_of_all_its_frames_and_equal_frames_are_encoded_once(tmp_path):
    seen = []

    class Watcher(FakeEncoder):
        def encode(self, images):
            seen.append(len(images))
            return super().encode(images)

    found = features(Store(tmp_path), Watcher(), Reel("report"), batch_size=8)
    assert seen == [4, 4, 4, 4, 2]  # two clips of two distinct frames at once
    clip = found.gather(np.array([[1]])).view(4, 16, 6)  # four frames of 4 × 4 regions
    assert (clip[[0, 2, 3], :, 1] == 1).all()  # green
    assert (clip[1, :, :3] == 0).all()


def test_frames_are_pooled_by_the_maxima_of_regions_in_reading_order():
    block = torch.arange(16 * 36).view(16, 36, 1).float()  # one clip; a patch's value is its number
    pooled = pool_frames(block, 16)
    assert pooled.shape == (1, 64, 1)
    assert pooled[0, :4, 0].tolist() == [14, 17, 32, 35]  # lower right corners of the four 3 × 3 regions
    assert pooled[0, 4:8, 0].tolist() == [36 + 14, 36 + 17, 36 + 32, 36 + 35]


def test_features_beyond_half_precision_are_refused(tmp_path):
    class Loud(FakeEncoder):
        def encode(self, images):
            return super().encode(images) * 1e6

    with pytest.raises(UserError, match="float16"):
        features(Store(tmp_path), Loud(), Plain("report"))
