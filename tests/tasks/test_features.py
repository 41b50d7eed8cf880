"""Features in files: VL-Adapter's HDF5 files and feature files, alone and in the place of a task's photos."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from pathlib import Path, PurePath

import h5py
import numpy as np
import pytest
import torch
from synthetic_files import write_coco, write_gqa, write_nlvr2, write_vqav2
from torch.nn.functional import adaptive_max_pool2d

from tasks import DataError
from tasks.coco_caption import CocoCaption
from tasks.features import FeatureFile, FeatureIndex, Layout, open_features, pooled
from tasks.gqa import Gqa
from tasks.nlvr2 import Nlvr2
from tasks.vqav2 import Vqav2

WIDTH = 8


def grid(name: str, side: int = 7, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(list(name.encode())).normal(size=(side * side, width)).astype(np.float16)


def write_hdf5(folder: Path, name: str, features: np.ndarray | None = None, key: str = "") -> Path:
    """One file as VL-Adapter's extraction leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / f"{name}.h5", "w") as file:
        file[key or f"{name}/features"] = grid(name) if features is None else features
    return folder / f"{name}.h5"


def write_feature_file(path: Path, names: tuple[str, ...], encoder: str = "clip-rn101", whole: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    index = FeatureIndex(
        encoder=encoder,
        fingerprint="weights",
        precision="float32",
        names=names,
        sizes=(1,) * len(names),
        whole=whole or "1" * len(names),
    )
    path.write_bytes(Layout(index, 36, WIDTH).header + b"".join(pooled(grid(name)).tobytes() for name in names))
    return path


@pytest.mark.parametrize("side", [6, 7, 8, 14, 16, 24])
def test_grids_are_pooled_as_by_torch(side):
    patches = torch.from_numpy(grid("a", side)).float()
    squares = patches.T.unflatten(1, (side, side))[None]
    wanted = adaptive_max_pool2d(squares, 6)[0].flatten(1).T
    assert torch.equal(torch.from_numpy(pooled(grid("a", side))).float(), wanted)


def test_hdf5_files_are_read_as_they_are_and_only_when_asked_for(tmp_path):
    for name in ("a", "b", "c"):
        write_hdf5(tmp_path / "any" / "folder", name)
    source = open_features([tmp_path], "clip-rn101")
    (tmp_path / "any" / "folder" / "c.h5").write_bytes(b"nobody reads this")
    assert set(source.names) == {"a", "b", "c"} and (source.tokens, source.width) == (36, WIDTH)
    assert source.read("b").dtype == np.float16
    np.testing.assert_array_equal(source.read("b"), pooled(grid("b")))


def test_processes_share_a_source(tmp_path):
    names = [f"image{number}" for number in range(12)]
    for name in names:
        write_hdf5(tmp_path, name)
    source = open_features([tmp_path], "clip-rn101")
    with multiprocessing.get_context("fork").Pool(3) as pool:
        read = pool.map(source.read, names * 4)
    for name, row in zip(names * 4, read, strict=True):
        np.testing.assert_array_equal(row, pooled(grid(name)))


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 64)


def damage_list(path):
    content = path.read_bytes()
    path.write_bytes(content.replace(b"HEAP", b"JUNK"))


def rewrite(**change):
    return lambda path: write_hdf5(path.parent, path.stem, **change)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (truncate, r"b\.h5: is no whole HDF5 file \(.*truncated.*\); fetch it again"),
        (lambda path: path.write_bytes(b"<html>"), r"b\.h5: is no whole HDF5 file"),
        (damage_list, r"b\.h5: is no whole HDF5 file"),
        (rewrite(key="other/features"), r"b\.h5: has no b/features, but other; name the file as the image in it"),
        (rewrite(key="b/boxes"), r"b\.h5: has no b/features, but b"),
        (rewrite(features=grid("b", width=5)), r"b\.h5: b/features is \(49, 5\); expected \(36 patches .*, 8\)"),
        (rewrite(features=grid("b")[:48]), r"b\.h5: b/features is \(48, 8\); expected .* square grid"),
        (rewrite(features=grid("b", 5)), r"b\.h5: b/features is \(25, 8\)"),
        (rewrite(features=grid("b")[None]), r"b\.h5: b/features is \(1, 49, 8\)"),
    ],
    ids=[
        "truncated",
        "no HDF5",
        "damaged list",
        "other image",
        "other key",
        "width",
        "not square",
        "too small",
        "batch",
    ],
)
def test_a_broken_hdf5_file_is_one_line_with_file_record_and_fix(tmp_path, damage, said):
    paths = [write_hdf5(tmp_path, name) for name in ("a", "b")]
    source = open_features([tmp_path], "clip-rn101")
    damage(paths[1])
    with pytest.raises(DataError, match=said) as error:
        source.read("b")
    assert "\n" not in str(error.value)


def test_a_folder_may_hold_files_of_both_kinds(tmp_path):
    write_feature_file(tmp_path / "train2014.safetensors", ("a", "b", "broken"), whole="110")
    write_hdf5(tmp_path / "val2014", "c")
    source = open_features([tmp_path], "clip-rn101")
    assert set(source.names) == {"a", "b", "c"}
    for name in source.names:
        np.testing.assert_array_equal(source.read(name), pooled(grid(name)))
    before = source.fingerprint
    write_hdf5(tmp_path / "val2014", "d")
    assert open_features([tmp_path], "clip-rn101").fingerprint != before
    assert open_features([tmp_path / "val2014" / "nothing"], "clip-rn101") is None


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda f: write_hdf5(f / "twice", "b"), r"image 'b' is in .*b\.h5 and in .*b\.h5; take one away"),
        (lambda f: write_feature_file(f / "f.safetensors", ("x", "b")), r"image 'b' is in .*; take one away"),
        (
            lambda f: write_feature_file(f / "f.safetensors", ("x",), "mini-clip"),
            "f.safetensors: holds features of mini",
        ),
        (
            lambda f: truncate(write_feature_file(f / "f.safetensors", ("x",))),
            r"f.safetensors: holds [\d,]+ of [\d,]+ bytes; copy it",
        ),
        (lambda f: (f / "f.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}"), "is no whole feature file"),
        (lambda f: (f / "f.safetensors").write_bytes(b""), "is no whole feature file"),
        (lambda f: os.truncate(write_hdf5(f, "a"), 100), r"a\.h5: is no whole HDF5 file"),
    ],
    ids=["two HDF5", "two kinds", "other encoder", "truncated", "not ours", "empty", "first HDF5"],
)
def test_what_a_folder_must_not_hold(tmp_path, make, said):
    write_hdf5(tmp_path, "b")
    make(tmp_path)
    with pytest.raises(DataError, match=said):
        open_features([tmp_path], "clip-rn101")


TASKS = {
    Vqav2: ((write_coco, write_vqav2), "coco"),
    CocoCaption: ((write_coco,), "coco"),
    Nlvr2: ((write_nlvr2,), "nlvr2"),
    Gqa: ((write_gqa,), "gqa"),
}


@pytest.fixture(params=TASKS, ids=lambda task: task.name)
def without_photos(request, tmp_path):
    """A task whose photos are gone, the folder of its features, and the names of its photos."""
    writers, folder = TASKS[request.param]
    for write in writers:
        write(tmp_path)
    task = request.param(tmp_path)
    names = sorted(PurePath(name).stem for name in task.wanted_photos)
    for photos in task.photo_folders:
        shutil.rmtree(tmp_path / photos)
    return request.param, tmp_path / folder / "features" / "clip-rn101", names


def test_features_stand_for_photos(without_photos):
    task_type, folder, names = without_photos
    data = folder.parents[2]
    assert "lacks" in task_type(data).missing()
    half = len(names) // 2
    for name in names[:half]:
        write_hdf5(folder / "data_clip_RN101_att", name)
    task = task_type(data)
    assert task.missing_images("clip-rn101").startswith(
        f"{len(names) - half} of {len(names)} photos have no features in "
    )
    write_feature_file(folder / "more.safetensors", tuple(names[half:]))
    task = task_type(data)
    assert task.missing() is None and task.missing_images("clip-rn101") is None
    assert "photos are not in" in task.missing_images("clip-vit-b32")
    source = task.precomputed("clip-rn101")
    for role in ("train", "select", "report"):
        images = task.images(role)
        for image in {image for example in task.examples(role) for image in example.images}:
            assert source.read(images.feature_name(image)).shape == (36, WIDTH)
        with pytest.raises(DataError, match="is not there any more; put the file back"):
            images.open(images.ids()[0])


def test_the_digest_for_an_encoder_follows_its_features(without_photos):
    task_type, folder, names = without_photos
    data = folder.parents[2]
    for name in names:
        write_hdf5(folder, name)
    first = task_type(data)
    before = first.fingerprint_for("clip-rn101")
    assert before == task_type(data).fingerprint_for("clip-rn101") != first.fingerprint_for("clip-vit-b32")
    write_hdf5(folder, names[0], grid("other"))  # of the same size
    assert task_type(data).fingerprint_for("clip-rn101") != before


def test_a_feature_file_is_mapped(tmp_path):
    source = FeatureFile(write_feature_file(tmp_path / "f.safetensors", ("a", "b")))
    assert isinstance(source.read("b"), np.memmap) and not source.read("b").flags.writeable
