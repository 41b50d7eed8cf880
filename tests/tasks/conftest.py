"""The real data folder where there is one, and a synthetic one in the same layout."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from synthetic_files import (
    write_coco,
    write_daquar,
    write_flickr8k,
    write_gqa,
    write_nlvr,
    write_nlvr2,
    write_value,
    write_vqav2,
)


@pytest.fixture(scope="session")
def synthetic_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with all real-data tasks in miniature; read only."""
    data = tmp_path_factory.mktemp("data")
    write_daquar(data, {"train": 20, "dev": 6})
    write_flickr8k(data, {"train": 20, "dev": 6})
    write_nlvr(data)
    write_coco(data)
    write_vqav2(data)
    write_nlvr2(data)
    write_gqa(data)
    write_value(data)
    return data


@pytest.fixture(scope="session")
def real_folder() -> Callable[[str], Path]:
    """Give a folder of the real data by name, or skip the test."""

    def give(name: str) -> Path:
        if not os.environ.get("HARNESS_DATA"):
            pytest.skip("HARNESS_DATA is not set: the real data are not here")
        path = Path(os.environ["HARNESS_DATA"]) / name
        if not path.is_dir():
            pytest.skip(f"{path} is not there")
        return path

    return give
