"""What a suite lacks on this machine, of the catalogue that is there."""

from pathlib import Path

import pytest

from harness.backbones import registry, vision
from harness.catalogue import Catalogue


@pytest.fixture
def nothing_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Catalogue:
    """No data, no weights."""
    monkeypatch.setattr(registry, "missing", lambda *_: None)
    monkeypatch.setattr(vision, "missing", lambda *_: "the encoder is not here")
    return Catalogue(tmp_path)


@pytest.mark.parametrize("folder", [True, False], ids=["empty data folder", "no data folder"])
def test_a_suite_of_features_lacks_no_image_encoder(nothing_here: Catalogue, folder: bool) -> None:
    if not folder:
        nothing_here.data = None
    photos, clips = (nothing_here.missing(suite, "bart-base") or "" for suite in ("image-text", "video-text"))
    assert photos.endswith("; the encoder is not here")
    assert "DataRelease" in clips and "encoder" not in clips
