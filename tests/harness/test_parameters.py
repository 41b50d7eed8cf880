"""Parameter counts of the papers' rows on BART-base and T5-base, from the built-in configurations alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness import plugins
from harness.backbones import get, on_meta
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

# Trained, total and percentage; on BART counted by running the published code.
IMAGE_TEXT = {
    "full": (141_156_864, 141_156_864, 100.0),
    "projection": (1_582_848, 141_156_864, 1.12),
    "projection-ln": (1_632_000, 141_156_864, 1.16),
    "bitfit": (1_708_800, 141_156_864, 1.21),
    "adapter-single": (6_081_600, 145_606_464, 4.18),
    "lora-single": (8_786_688, 148_234_752, 5.93),
    "prompt-single": (2_843_936, 142_417_952, 2.00),
}
T5_IMAGE_TEXT = {
    "full": (224_540_160, 224_540_160, 100.0),
    "projection": (1_581_312, 224_540_160, 0.70),
    "projection-ln": (1_628_928, 224_540_160, 0.73),  # 62 norms of 768 weights
    "adapter-single": (19_333_632, 242_292_480, 7.98),
    "lora-single": (18_170_112, 241_128_960, 7.54),
    "prompt-single": (2_842_400, 225_801_248, 1.26),
}
VIDEO_TEXT = {"adapter-single": 3.39, "lora-single": 5.17}


def counted(name, kind="image-text", backbone="bart-base"):
    spec = get(backbone)
    return count(METHODS.get(name).configured(spec.family, kind, backbone), spec, kind)


@pytest.mark.parametrize(
    ("backbone", "name", "expected"),
    [
        *(("bart-base", name, expected) for name, expected in IMAGE_TEXT.items()),
        *(("t5-base", name, expected) for name, expected in T5_IMAGE_TEXT.items()),
    ],
)
def test_matches_the_published_code_on_image_text(backbone, name, expected):
    trained, total, percent = expected
    counts = counted(name, backbone=backbone)
    assert (counts.trained, counts.total) == (trained, total)
    assert round(counts.updated_percent, 2) == percent


NOT_MATCHED = {  # see their docstrings
    "projection": 1.12,  # printed 1.14
    "projection-ln": 1.16,  # printed 1.18
    "lora-multiple": 17.71,  # printed 17.72
}


@pytest.mark.parametrize("row", updated_percents(), ids=lambda row: f"{row.backbone} {row.kind} {row.method}")
def test_every_printed_percentage_is_matched_to_two_decimals(row):
    ours = counted(row.method, row.kind, row.backbone).updated_percent
    assert round(ours, 2) == NOT_MATCHED.get(row.method, row.percent)


@pytest.mark.parametrize("name", VIDEO_TEXT)
def test_matches_the_paper_on_video_text(name):
    assert round(counted(name, "video-text").updated_percent, 2) == VIDEO_TEXT[name]


def test_parts_of_the_backbone():
    counts = counted("projection")
    assert counts.language_model == 139_420_416 + 200 * 768  # plain BART-base and the added token rows
    assert counts.visual_embedding == 1_582_848
    assert counted("projection", "video-text").visual_embedding == 403_200
    counts = counted("projection", backbone="t5-base")
    assert counts.language_model == 222_903_552 + 72 * 768  # plain T5-base; 28 of 100 tokens take its spare rows
    assert counts.visual_embedding == 1_581_312
    assert counted("projection", "video-text", "t5-base").visual_embedding == 401_664


def test_what_is_stored_and_what_is_left_at_inference():
    adapter, lora, prompt = counted("adapter-single"), counted("lora-single"), counted("prompt-single")
    assert adapter.added_at_inference == 30 * 148_320
    assert lora.added_at_inference == 0  # merged
    assert prompt.added_at_inference == 1_261_088
    assert adapter.stored == adapter.trained + PLACES
    assert counted("full").stored == counted("full").trained  # its token table trains
    assert {counted(name).frozen_extra for name in IMAGE_TEXT} == {0}
    t5 = counted("adapter-single", backbone="t5-base")
    assert t5.added_at_inference == 60 * 295_872
    assert t5.stored == t5.trained + PLACES


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
