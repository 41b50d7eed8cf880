"""Start-up of a cell with a warm cache: from its configuration to a model and data that are ready to train."""

from __future__ import annotations

import pytest

from harness.backbones import registry
from harness.cells import Cell, Settings
from harness.options import Options
from harness.plugins import find_methods
from harness.preparation import prepare
from harness.store import silent

SUITE = ("mini-vqa", "mini-gqa", "mini-nlvr", "mini-caption")


@pytest.mark.parametrize("method", ["projection", "adapter-single", "full"])
def test_an_embedded_cell_starts(benchmark, tmp_path_factory, method):
    if not benchmark.enabled:
        pytest.skip("a benchmark only: the first start draws and encodes all embedded scenes")
    if reason := registry.missing(registry.get("mini-bart")):
        pytest.skip(reason)
    cell = Cell(
        suite="mini-image",
        kind="image-text",
        tasks=SUITE,
        backbone="mini-bart",
        method=method,
        parameters=find_methods().get(method).configured("bart", "image-text", "mini-bart").model_dump(),
        seed=0,
        settings=Settings(),
    )
    cache = tmp_path_factory.getbasetemp() / "cache"
    options = Options(cache=cache, device="cpu")
    prepare(cell, options, silent)
    ready = benchmark.pedantic(prepare, args=(cell, options, silent), rounds=5)
    assert len(ready.train) == len(SUITE)
