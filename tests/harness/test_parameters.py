"""Parameter counts of the papers' rows on BART-base and T5-base, from the built-in configurations alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness import plugins
from harness.backbones import get, on_meta
from harness.parameters import count
from reports.published_numbers import glue_sizes, updated_percent, updated_percents

METHODS = plugins.find_methods()
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


@pytest.mark.parametrize("row", glue_sizes(), ids=lambda row: f"{row.backbone} {row.method}")
def test_every_printed_size_on_glue_is_matched_to_two_decimals(row):
    counts = counted(row.method, "text", row.backbone)
    assert round(counts.total / counts.language_model, 2) == row.total_multiple
    if row.trained_per_task_percent is not None:
        assert round(counts.updated_percent_of_language_model / 8, 2) == row.trained_per_task_percent


def test_the_other_denominator_is_what_two_figures_count_with():
    of_language_model = {
        name: round(counted(name).updated_percent_of_language_model, 2) for name in ("projection", "adapter-single")
    }
    assert of_language_model == {"projection": 1.14, "adapter-single": 4.36}  # of table 5, and of the supplement
    assert counted("projection").updated_percent_of_language_model == 100 * 1_582_848 / 139_420_416


@pytest.mark.parametrize("name", VIDEO_TEXT)
def test_matches_the_paper_on_video_text(name):
    assert round(counted(name, "video-text").updated_percent, 2) == VIDEO_TEXT[name]


def test_parts_of_the_backbone():
    counts = counted("projection")
    assert (counts.language_model, counts.token_rows) == (139_420_416, 200 * 768)
    assert counts.visual_embedding == 1_582_848
    assert counted("projection", "video-text").visual_embedding == 403_200
    counts = counted("projection", backbone="t5-base")
    assert (counts.language_model, counts.token_rows) == (222_903_552, 72 * 768)  # 28 of 100 tokens take spare rows
    assert counts.visual_embedding == 1_581_312
    assert counted("projection", "video-text", "t5-base").visual_embedding == 401_664


LINEAR_BIASES_OF_T5 = 12 * (5 * 768 + 3072) + 12 * (9 * 768 + 3072)  # q k v o, twice in the decoder; up, down
PREFIXES_OF_T5 = 49 * 768 + (768 + 1) * 800 + (800 + 1) * 12 * 2 * 768  # of one place
GLUE = {
    ("bart-base", "full"): (139_420_416, 139_420_416, 0),
    ("bart-base", "projection"): (0, 139_420_416, 0),
    ("t5-base", "full"): (222_903_552, 222_903_552, 0),
    ("t5-base", "projection-ln"): (62 * 768, 222_903_552, 0),
    ("t5-base", "adapter-single"): (60 * 295_872, 222_903_552 + 60 * 295_872, 60 * 295_872),
    ("t5-base", "adapter-multiple"): (8 * 60 * 148_320, 222_903_552 + 8 * 60 * 148_320, 8 * 60 * 148_320),
    ("t5-base", "lora-single"): (72 * 2 * 150 * 768, 222_903_552 + 72 * 2 * 150 * 768, 0),
    ("t5-base", "bitfit-added"): (
        LINEAR_BIASES_OF_T5 + 62 * 768 + 32_128,
        222_903_552 + LINEAR_BIASES_OF_T5 + 62 * 768 + 32_128,
        LINEAR_BIASES_OF_T5 + 62 * 768 + 32_128,
    ),
    ("t5-base", "prefix"): (2 * PREFIXES_OF_T5, 222_903_552 + 2 * PREFIXES_OF_T5, 24 * 2 * 49 * 768),
}


@pytest.mark.parametrize(("backbone", "name"), GLUE)
def test_text_leaves_all_that_is_there_for_images_out(backbone, name):
    counts = counted(name, "text", backbone)
    assert (counts.trained, counts.total, counts.added_at_inference) == GLUE[backbone, name]
    assert (counts.token_rows, counts.visual_embedding, counts.stored) == (0, 0, counts.trained)


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


def test_published_figures_are_read_first_row_first():
    assert updated_percent("lora-single", "bart-base", "image-text").paper == "VL-Adapter"
    assert updated_percent("lora-single", "bart-base", "text") is None
    assert {row.method for row in (*updated_percents(), *glue_sizes())} <= set(METHODS.names())


def test_a_loaded_configuration_is_what_counts():
    method = METHODS.get("adapter-single").configured("bart", "image-text", "bart-base")
    spec, usual = get("bart-base"), counted("adapter-single")
    assert count(method, spec, "image-text", loaded=on_meta(spec, "image-text")) == usual
    shallow = on_meta(replace(spec, config={**spec.config, "encoder_layers": 1}), "image-text", feature_width=768)
    shallow.random_rows = 5
    counts = count(method, spec, "image-text", loaded=shallow)
    assert counts.added_at_inference == 20 * 148_320  # two sites less in each of five layers
    assert usual.language_model + 200 * 768 == counts.language_model + 5 * 768 + 5 * 7_087_872
    assert usual.visual_embedding - counts.visual_embedding == (2048 - 768) * 768
    assert counts.stored == counts.trained + 5 * 768


@pytest.mark.parametrize("kind", ["image-text", "video-text"])
@pytest.mark.parametrize("name", ["full", "bitfit-added", "hyperpelt", "lora-multiple", "lora-single"])
def test_what_is_known_from_another_kind_of_suite_is_what_would_be_counted(name, kind):
    spec = get("t5-base")
    method = METHODS.get(name).configured("t5", kind, "t5-base")
    assert count(method, spec, kind) == count(method, spec, kind, loaded=on_meta(spec, kind))


def test_other_hyper_parameters_and_tasks_are_counted_anew():
    method, spec = METHODS.get("adapter-multiple"), get("bart-base")
    usual = count(method(), spec, "image-text")
    assert count(method(learning_rate=0.5), spec, "image-text") == usual
    assert count(method(reduction_factor=16), spec, "image-text").total < usual.total
    assert count(method(), spec, "image-text", tasks=("vqav2",)).total == 141_156_864 + 30 * 148_320
