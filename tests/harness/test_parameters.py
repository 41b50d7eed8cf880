"""Parameter counts of the papers' rows on BART-base, from the built-in configuration alone."""

from __future__ import annotations

import pytest
from transformers import BartConfig

from harness import plugins
from harness.backbones import get
from harness.parameters import count, table
from reports.published_numbers import updated_percent, updated_percents

METHODS = plugins.find_methods()
FIELDS = [
    "method",
    "backbone",
    "suite",
    "trained",
    "stored",
    "added_at_inference",
    "frozen_extra",
    "total",
    "updated_percent",
    "published_percent",
]
PLACES = 36 * 768  # rows of added image-place tokens that images read

# Trained, total and percentage, counted by running the published code.
IMAGE_TEXT = {
    "full": (141_156_864, 141_156_864, 100.0),
    "projection": (1_582_848, 141_156_864, 1.12),
    "projection-ln": (1_632_000, 141_156_864, 1.16),
    "bitfit": (1_708_800, 141_156_864, 1.21),
    "adapter-single": (6_081_600, 145_606_464, 4.18),
    "lora-single": (8_786_688, 148_234_752, 5.93),
    "prompt-single": (2_843_936, 142_417_952, 2.00),
}
VIDEO_TEXT = {"adapter-single": 3.39, "lora-single": 5.17}


def counted(name, kind="image-text"):
    return count(METHODS.get(name).configured("bart", kind, "bart-base"), get("bart-base"), kind)


@pytest.mark.parametrize("name", IMAGE_TEXT)
def test_matches_the_published_code_on_image_text(name):
    trained, total, percent = IMAGE_TEXT[name]
    counts = counted(name)
    assert (counts.trained, counts.total) == (trained, total)
    assert round(counts.updated_percent, 2) == percent


@pytest.mark.parametrize("name", VIDEO_TEXT)
def test_matches_the_paper_on_video_text(name):
    assert round(counted(name, "video-text").updated_percent, 2) == VIDEO_TEXT[name]


def test_parts_of_the_backbone():
    counts = counted("projection")
    assert counts.language_model == 139_420_416 + 200 * 768  # plain BART-base and the added token rows
    assert counts.visual_embedding == 1_582_848
    assert counted("projection", "video-text").visual_embedding == 403_200


def test_what_is_stored_and_what_is_left_at_inference():
    adapter, lora, prompt = counted("adapter-single"), counted("lora-single"), counted("prompt-single")
    assert adapter.added_at_inference == 30 * 148_320
    assert lora.added_at_inference == 0  # merged
    assert prompt.added_at_inference == 1_261_088
    assert adapter.stored == adapter.trained + PLACES
    assert counted("full").stored == counted("full").trained  # its token table trains
    assert {counted(name).frozen_extra for name in IMAGE_TEXT} == {0}


def test_another_feature_width_changes_the_projection_only():
    method = METHODS.get("projection").configured("bart", "image-text", "bart-base")
    narrow = count(method, get("bart-base"), "image-text", feature_width=768)
    assert counted("projection").trained - narrow.trained == (2048 - 768) * 768


def test_table_has_a_row_per_method_and_kind():
    classes = [METHODS.get(name) for name in ("adapter-single", "prompt-single")]
    rows = table(classes, [get("bart-base")])
    assert [(row["method"], row["suite"]) for row in rows] == [
        ("adapter-single", "image-text"),
        ("prompt-single", "image-text"),
        ("adapter-single", "video-text"),
        ("prompt-single", "video-text"),
    ]
    assert [list(row) for row in rows] == [FIELDS] * 4
    assert [row["published_percent"] for row in rows] == [4.18, 2.0, 3.39, None]


def test_every_discovered_method_can_be_counted():
    rows = table([METHODS.get(name) for name in METHODS.names()], [get("bart-base")], ["image-text"])
    assert len(rows) == len(METHODS.names())
    assert all(0 < row["trained"] <= row["total"] and row["stored"] >= row["trained"] for row in rows)


def test_published_figures_are_read_first_row_first():
    assert updated_percent("lora-single", "bart-base", "image-text").paper == "VL-Adapter"
    assert updated_percent("lora-single", "bart-base", "text") is None
    assert {row.method for row in updated_percents()} <= set(METHODS.names())


def test_a_loaded_configuration_is_what_counts():
    method = METHODS.get("adapter-single").configured("bart", "image-text", "bart-base")
    spec, usual = get("bart-base"), counted("adapter-single")
    assert count(method, spec, "image-text", loaded=on_meta(spec, "image-text")) == usual
    shallow = on_meta(replace(spec, config={**spec.config, "encoder_layers": 1}), "image-text", feature_width=768)
    shallow.random_rows = 5
    counts = count(method, spec, "image-text", loaded=shallow)
    assert counts.added_at_inference == 20 * 148_320  # two sites less in each of five layers
    assert usual.language_model - counts.language_model == 5 * 7_087_872
    assert usual.visual_embedding - counts.visual_embedding == (2048 - 768) * 768
    assert counts.stored == counts.trained + 5 * 768
