"""A cell whose image features lie among the data: VL-Adapter's files in the place of GQA's photos."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from small_world import FakeEncoder, write_checkpoint

from harness.backbones import registry, vision
from harness.catalogue import Catalogue
from harness.cells import Cell, Settings
from harness.errors import Unavailable, UserError
from harness.options import Options
from harness.plugins import find_methods
from harness.preparation import prepare
from harness.store import silent
from tasks.features import pooled

sys.path.insert(0, str(Path(__file__).parents[1] / "tasks"))

from synthetic_files import write_gqa

WIDTH = FakeEncoder.width  # of which the backbone on disk has its visual embedding


def grid(name: str, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(list(name.encode())).normal(size=(49, width)).astype(np.float16)


def write_hdf5(folder: Path, names: list[str], width: int = WIDTH) -> None:
    folder.mkdir(parents=True)
    for name in names:
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file[f"{name}/features"] = grid(name, width)


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Options under which backbone "small" reads clip-rn101, whose weights are not here; and GQA's folder."""
    (tmp_path / "small").mkdir()
    write_checkpoint(tmp_path / "small")
    spec = dataclasses.replace(
        registry.SPECS["mini-bart"], name="small", embedded=tmp_path / "small", encoder="clip-rn101"
    )
    monkeypatch.setitem(registry.SPECS, "small", spec)
    narrow = dataclasses.replace(vision.SPECS["clip-rn101"], width=WIDTH)
    monkeypatch.setitem(vision.SPECS, "clip-rn101", narrow)
    monkeypatch.setattr("harness.backbones.weights.try_to_load_from_cache", lambda *_: None)
    folder = write_gqa(tmp_path / "data", {"train": 4, "val": 2, "testdev": 2})
    return Options(cache=tmp_path / "cache", data=tmp_path / "data", device="cpu"), folder


def take_photos_away(folder: Path) -> list[str]:
    """Names of the photos that were there."""
    names = [path.stem for path in (folder / "images").iterdir()]
    shutil.rmtree(folder / "images")
    return names


def a_cell(**data: str) -> Cell:
    method = find_methods().get("projection").configured("bart", "image-text", "small")
    return Cell(
        suite="gqa",
        kind="image-text",
        tasks=("gqa",),
        backbone="small",
        method="projection",
        parameters=method.model_dump(),
        seed=0,
        settings=Settings(measure=False),
        data=data,
    )


def test_a_cell_reads_features_as_they_are_without_photos_and_without_the_encoder(world):
    options, folder = world
    write_hdf5(folder / "features" / "clip-rn101" / "data_clip_RN101_att", take_photos_away(folder))
    catalogue = Catalogue(options.data)
    assert catalogue.missing("gqa", "small") is None
    digests = catalogue.fingerprints("gqa", "small")
    assert digests.keys() == {"gqa", "backbone"}
    ready = prepare(a_cell(gqa=digests["gqa"]), options, silent)
    assert ready.bench.model.visual.feature_width == WIDTH
    data = ready.scored[0]
    batch = data.batch(np.array([2, 0]), data.texts.first[:2])
    for shown, row in zip(batch.features, (2, 0), strict=True):
        np.testing.assert_array_equal(shown[0].numpy(), pooled(grid(data.examples[row].images[0])))


def test_what_lacks_is_told_before_anything_runs(world):
    options, folder = world
    assert "resnet101_clip" in Catalogue(options.data).missing("gqa", "small")  # photos alone need the encoder
    names = take_photos_away(folder)
    write_hdf5(folder / "features" / "clip-rn101", names[1:])
    missing = Catalogue(options.data).missing("gqa", "small")
    assert missing.startswith(f"1 of {len(names)} photos have no features in ") and names[0] in missing
    with pytest.raises(Unavailable, match="photos have no features"):
        prepare(a_cell(), options, silent)


def test_changed_features_are_other_data(world):
    options, folder = world
    names = take_photos_away(folder)
    write_hdf5(folder / "features" / "clip-rn101", names)
    planned = Catalogue(options.data).fingerprints("gqa", "small")
    shutil.rmtree(folder / "features")
    write_hdf5(folder / "features" / "clip-rn101", [*names, "another"])
    with pytest.raises(UserError, match="the data of gqa changed since the run was planned"):
        prepare(a_cell(gqa=planned["gqa"]), options, silent)


def test_features_of_another_width_than_the_encoders_are_refused(world):
    options, folder = world
    write_hdf5(folder / "features" / "clip-rn101", take_photos_away(folder), width=5)
    with pytest.raises(UserError, match=r"clip-rn101: features of width 5; those of clip-rn101 have 6: take"):
        prepare(a_cell(), options, silent)
