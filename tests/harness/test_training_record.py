"""The shipped training record tells what the shipped weights do."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import CLIPVisionModel

from harness.backbones import registry
from harness.backbones.vision import patch_features
from harness.backbones.weights import EMBEDDED, load_tokenizer
from harness.pretraining.stages import LanguageStage, ViewStage


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    return json.loads((EMBEDDED / "training_record.json").read_text())


def stage_with_shipped_weights(kind: type[LanguageStage], name: str, *more: object) -> LanguageStage:
    stage = kind(load_tokenizer(EMBEDDED / name / "tokenizer.json"), *more)
    stage.model.load_state_dict(registry.load(registry.get(name), 128).model.state_dict())
    stage.model.eval()
    return stage


def view_stage() -> LanguageStage:
    vision = CLIPVisionModel.from_pretrained(EMBEDDED / "mini-clip").eval()

    def encode(pixels: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return patch_features(vision, pixels)

    return stage_with_shipped_weights(ViewStage, "mini-bart", encode)


def text_stage() -> LanguageStage:
    return stage_with_shipped_weights(LanguageStage, "mini-bart-text")


@pytest.mark.parametrize("shipped", [view_stage, text_stage])
@pytest.mark.parametrize(
    ("share", "tolerance"),
    [(6, 0.2), pytest.param(1, 0.02, marks=pytest.mark.slow)],  # of some kinds a sixth is a dozen examples
    ids=["some", "all"],
)
def test_held_out_accuracies_can_be_measured_again(
    record: dict[str, Any], shipped: Callable[[], LanguageStage], share: int, tolerance: float
) -> None:
    torch.set_num_threads(1)
    stage = shipped()
    stage.held_out_batches //= share
    told, measured = record["stages"][stage.name]["held_out"], stage.held_out()
    assert len(measured) >= len(told) // (2 * share)
    assert measured == pytest.approx({kind: told[kind] for kind in measured}, abs=tolerance)


def test_losses_fall_and_origin_is_told(record: dict[str, Any]) -> None:
    for stage in record["stages"].values():
        assert stage["losses"][-1][0] == stage["steps"]
        assert stage["losses"][-1][1] < stage["losses"][0][1]
        assert stage["seconds"] > 0
        assert stage["environment"]["commit"]
