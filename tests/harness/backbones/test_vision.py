"""Image encoders: the grid of patches, pixel statistics, broken and missing files."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModel

from harness import backbones
from harness.backbones import vision
from harness.backbones.resnet import ModifiedResNet
from harness.backbones.vision import GRID, fingerprint, load_encoder, missing, patch_features, to_pixels
from harness.errors import Unavailable, UserError


@pytest.fixture
def weights(tmp_path):
    """A --weights folder with a small CLIP under the name of a published one: 7 × 7 patches, as ViT-B/32 at 224."""
    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=768, intermediate_size=8, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=4
    )
    CLIPVisionModel(config).save_pretrained(tmp_path / "clip-vit-b32")
    return tmp_path


def noise(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (40, 30, 3), dtype=np.uint8))


def test_a_published_grid_is_pooled_to_six_by_six_by_maxima(weights):
    encoder = load_encoder("clip-vit-b32", weights)
    features = encoder.encode([noise(0), noise(1)])
    assert features.shape == (2, GRID * GRID, encoder.width)
    model = CLIPVisionModel.from_pretrained(weights / "clip-vit-b32").eval()
    states = model(to_pixels(noise(0), 28)[None], output_hidden_states=True).hidden_states[-2][0, 1:]
    grid = states.view(7, 7, 768)
    windows = torch.stack([grid[r : r + 2, c : c + 2].amax((0, 1)) for r in range(6) for c in range(6)])
    torch.testing.assert_close(features[0], windows)  # a 2 × 2 maximum with stride 1


def test_a_grid_of_six_by_six_is_left_alone():
    model = CLIPVisionModel(
        CLIPVisionConfig(
            hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, image_size=12, patch_size=2
        )
    ).eval()
    pixels = torch.randn(1, 3, 12, 12)
    assert torch.equal(patch_features(model, pixels), model(pixels).last_hidden_state[:, 1:])


def test_pixels_are_scaled_by_clips_statistics_without_regard_to_aspect():
    grey = Image.new("L", (50, 20), 128)
    pixels = to_pixels(grey, 8)
    assert pixels.shape == (3, 8, 8)
    expected = (128 / 255 - np.array([0.48145466, 0.4578275, 0.40821073])) / [0.26862954, 0.26130258, 0.27577711]
    torch.testing.assert_close(pixels[:, 0, 0].double(), torch.tensor(expected), atol=1e-6, rtol=0)


def test_absent_weights_and_unknown_names_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(backbones.weights, "try_to_load_from_cache", lambda *names: None)
    assert "clip-vit-b32" in (missing("clip-vit-b32", tmp_path) or "")
    with pytest.raises(Unavailable, match="hf download openai/clip-vit-base-patch32"):
        load_encoder("clip-vit-b32", tmp_path)
    with pytest.raises(UserError, match="unknown image encoder 'clip-vitb32'; did you mean 'clip-vit-b32'"):
        load_encoder("clip-vitb32")


def test_what_a_folder_below_weights_lacks_is_named_and_nothing_else_is_taken_instead(weights):
    (weights / "mini-clip").mkdir()
    (weights / "clip-vit-b32" / "config.json").unlink()
    for name in ("mini-clip", "clip-vit-b32"):
        with pytest.raises(Unavailable, match=name):
            load_encoder(name, weights)
    assert "lack config.json; run `hf download" in (missing("clip-vit-b32", weights) or "")


def test_a_broken_file_is_named(weights):
    (weights / "clip-vit-b32" / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(UserError, match="clip-vit-b32 cannot be loaded"):
        load_encoder("clip-vit-b32", weights)


def test_the_fingerprint_follows_the_weights_and_the_configuration(weights):
    config, tensors = (weights / "clip-vit-b32" / name for name in ("config.json", "model.safetensors"))
    first = fingerprint("clip-vit-b32", weights)
    assert first == load_encoder("clip-vit-b32", weights).fingerprint
    data = bytearray(tensors.read_bytes())
    data[-1] ^= 1
    tensors.write_bytes(bytes(data))
    second = fingerprint("clip-vit-b32", weights)
    config.write_text(config.read_text().replace("1e-05", "1e-06"))  # of the norms
    assert len({first, second, fingerprint("clip-vit-b32", weights)}) == 3


@pytest.fixture
def small_resnet(tmp_path, monkeypatch):
    """A --weights folder with a narrow ResNet in place of CLIP's, and the network in it."""
    narrow = partial(ModifiedResNet, (1, 1, 1, 1), 4)
    torch.manual_seed(0)
    model = narrow()
    monkeypatch.setattr(vision, "ModifiedResNet", narrow)
    monkeypatch.setitem(vision.SPECS, "clip-rn101", replace(vision.SPECS["clip-rn101"], width=model.width))
    (tmp_path / "clip-rn101").mkdir()
    tensors = {f"visual.{name}": tensor for name, tensor in model.state_dict().items()}
    save_file(tensors, tmp_path / "clip-rn101" / "model.safetensors")
    return tmp_path, model


def test_the_resnets_grid_of_seven_by_seven_is_pooled_by_maxima(small_resnet):
    weights, model = small_resnet
    assert missing("clip-rn101", weights) is None  # one file, no configuration
    encoder = load_encoder("clip-rn101", weights)
    features = encoder.encode([noise(0), noise(1)])
    assert features.shape == (2, GRID * GRID, encoder.width)
    grid = model(to_pixels(noise(1), 224)[None])[0]  # (width, 7, 7)
    windows = torch.stack([grid[:, r : r + 2, c : c + 2].amax((1, 2)) for r in range(6) for c in range(6)])
    torch.testing.assert_close(features[1], windows)


def test_in_bfloat16_features_stay_near_and_are_float32(small_resnet):
    weights, _ = small_resnet
    encoder = load_encoder("clip-rn101", weights)
    pixels = torch.stack([to_pixels(noise(0), encoder.image_size)])
    exact, rough = encoder.encode_pixels(pixels), encoder.encode_pixels(pixels, torch.bfloat16)
    assert rough.dtype == torch.float32 and not torch.equal(rough, exact)
    torch.testing.assert_close(rough, exact, atol=0.02 * exact.abs().max().item(), rtol=0)


def test_the_weights_of_another_resnet_are_refused(small_resnet):
    weights, _ = small_resnet
    save_file({"visual.conv1.weight": torch.zeros(2, 3, 3, 3)}, weights / "clip-rn101" / "model.safetensors")
    with pytest.raises(UserError, match=r"clip-rn101 cannot be loaded \(missing tensors: \['bn1.weight'"):
        load_encoder("clip-rn101", weights)
