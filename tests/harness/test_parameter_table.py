"""The table of parameter counts: what programs read, and what people see."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from harness import plugins
from harness.backbones import get
from harness.parameter_table import deviation, kinds, layout, legend, part

METHODS = plugins.find_methods()
FIELDS = [  # of `params --json`, whose order other programs rely on
    *("method", "backbone", "suite", "trained", "stored", "added_at_inference", "frozen_extra", "total"),
    *("updated_percent", "published_percent"),
]
WIDTH = 120


def counted(names, kind="image-text", backbone="bart-base"):
    return part([METHODS.get(name) for name in names], get(backbone), kind)


def shown(table, column):
    """The texts of a column, with their marks."""
    place = [" ".join(each.title.split()) for each in table.columns].index(column)
    return [row.cells[place].text + row.cells[place].symbols for row in table.rows]


@pytest.mark.parametrize(
    ("backbone", "suites"),
    [
        ("bart-base", ["image-text", "video-text", "glue"]),
        ("t5-base", ["image-text", "video-text", "glue"]),
        ("mini-bart", ["mini-image", "mini-video"]),
    ],
)
def test_a_backbone_is_counted_on_the_suites_that_it_serves(backbone, suites):
    assert [counted([], kind, backbone).suite for kind in kinds(get(backbone))] == suites


def test_every_discovered_method_is_counted():
    found = counted(METHODS.names())
    assert [row.method for row in found.rows] + list(found.refused) == METHODS.names()
    assert all(0 < row.trained <= row.total and row.stored >= row.trained for row in found.rows)


def test_programs_read_ours_beside_the_papers():
    rows = [asdict(row) for row in counted(["adapter-single", "projection", "adapter-lowrank"]).rows]
    assert [list(row)[: len(FIELDS)] for row in rows] == [FIELDS] * 3
    assert [row["published_percent"] for row in rows] == [4.18, 1.14, None]
    assert [row["deviation_points"] for row in rows] == [0.0, -0.02, None]
    assert [row["published_source"] for row in rows] == ["VL-Adapter, table 1", "VL-Adapter, table 5", None]
    for row in rows:
        parts = row["language_model"] + row["token_rows"] + row["visual_embedding"]
        assert parts == 139_420_416 + 200 * 768 + 1_582_848
        assert row["updated_percent"] == 100 * row["trained"] / row["total"]
        assert row["updated_percent_of_language_model"] == 100 * row["trained"] / 139_420_416
        assert row["total_multiple"] is row["trained_per_task_percent"] is row["published_total_multiple"] is None


def test_glue_is_counted_as_hyperformer_does():
    full, adapters = (asdict(row) for row in counted(["full", "adapter-multiple"], "text", "t5-base").rows)
    assert (full["suite"], full["total_multiple"], full["trained_per_task_percent"]) == ("glue", 1.0, 12.5)
    assert (full["published_total_multiple"], full["published_trained_per_task_percent"]) == (1.0, 12.5)
    assert full["published_percent"] is full["deviation_points"] is None
    added = 8 * 60 * 148_320
    assert adapters["total_multiple"] == (222_903_552 + added) / 222_903_552
    assert adapters["trained_per_task_percent"] == 100 * added / 222_903_552 / 8


def test_a_deviation_is_between_figures_as_they_are_printed():
    assert deviation(17.7144, 17.72) == -0.01
    assert deviation(4.1767, 4.18) == 0
    assert deviation(1.207, 1.14) == 0.07


def test_people_see_the_sources_and_who_is_missing():
    table = layout(counted(["adapter-single", "bitfit", "projection"], backbone="t5-base"))
    assert table.title.startswith("t5-base, image-text: language model 222,903,552 + token rows for images 55,296 + ")
    assert shown(table, "Method") == ["adapter-single", "projection"]
    assert shown(table, "Trained") == ["19,333,632", "1,581,312"]
    assert shown(table, "Updated (%)") == ["7.98", "0.70"]
    assert shown(table, "Published (%)") == ["7.98 a", "–"]
    assert shown(table, "Deviation (points)") == ["0.00", "–"]
    assert table.notes[0] == "a: VL-PET, table 2"
    assert table.notes[1].startswith("bitfit: incompatible: T5 has no bias vectors")


def test_nothing_for_images_is_counted_on_text():
    table = layout(counted(["hyperprefix", "prefix"], "text", "t5-base"))
    assert shown(table, "Total (×)") == ["1.01", "1.14"]
    networks = {kind: counted(["hyperpelt"], kind, "t5-base").rows[0] for kind in ("text", "image-text")}
    vector, place = 64 + 1, 2 * 768 + 12 * 768 * 2 + 12 + 768  # a key and a value, an adapter; maps have a bias
    visual = (768 + 1) * 64 + 2 * vector * place
    beside = networks["image-text"].trained - networks["image-text"].visual_embedding
    assert beside - networks["text"].trained == visual - (8 - 4) * 64  # four tasks, not eight


def test_a_method_that_needs_images_is_refused_on_text():
    class Looker(METHODS.get("adapter-single")):
        name = "looker"
        needs_image = True

    found = {kind: part([Looker], get("t5-base"), kind) for kind in ("text", "image-text")}
    assert [len(each.rows) for each in found.values()] == [0, 1]
    assert found["text"].refused == {"looker": "it needs images, and a suite of text has none"}


def test_the_legend_explains_every_column_once():
    parts = [counted(["full"], kind, "t5-base") for kind in kinds(get("t5-base"))]
    titles = {" ".join(column.title.split()) for each in parts for column in layout(each).columns} - {"Method"}
    explained = [line.partition(": ")[0] for line in legend(parts)]
    assert sorted(explained) == sorted(titles)
    assert all(line.partition(": ")[2] for line in legend(parts))


@pytest.mark.parametrize("kind", ["image-text", "text"])
def test_it_fits_into_a_terminal(kind):
    table = layout(counted(["adapter-half-shared-down", "full", "lora-multiple"], kind, "t5-base"))
    widths = [max(map(len, column.title.splitlines())) for column in table.columns]
    for row in table.rows:
        widths = [max(width, len(cell.text + cell.symbols)) for width, cell in zip(widths, row.cells, strict=True)]
    assert sum(widths) + 2 * (len(widths) - 1) <= WIDTH
    assert len(table.title) <= WIDTH
