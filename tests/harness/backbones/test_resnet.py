"""CLIP's modified ResNet: shapes, sizes, its formula, frozen norms, and published files in both vocabularies."""

import re
import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import avg_pool2d, batch_norm, conv2d, relu

from harness.backbones.resnet import ModifiedResNet, load_published

BLOCKS, WIDTH = (1, 2, 1, 1), 8


def small() -> ModifiedResNet:
    """A small network whose batch norms have statistics, as after training."""
    torch.manual_seed(0)
    model = ModifiedResNet(BLOCKS, WIDTH)
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif "bn" in name or "downsample.1" in name:
            tensor.copy_(torch.randn(tensor.shape) / 4 + name.endswith("weight"))
    return model


def test_rn101_has_the_published_shapes_and_size():
    with torch.device("meta"):
        model = ModifiedResNet()
        grid = model(torch.empty(2, 3, model.image_size, model.image_size))
    assert grid.shape == (2, 2048, 7, 7) and model.width == 2048
    # CLIP's RN101 image tower has 56,259,936 parameters, its attention pooling 13,740,544 of them.
    assert sum(parameter.numel() for parameter in model.parameters()) == 56_259_936 - 13_740_544


def reference(weights, pixels):
    """The published code's forward pass, from the tensors alone."""

    def step(x, conv, norm, **form):
        x = conv2d(x, weights[f"{conv}.weight"], **form)
        statistics = (weights[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return batch_norm(x, *statistics)

    x = relu(step(pixels, "conv1", "bn1", stride=2, padding=1))
    x = relu(step(x, "conv2", "bn2", padding=1))
    x = avg_pool2d(relu(step(x, "conv3", "bn3", padding=1)), 2)
    for layer, blocks in enumerate(BLOCKS, 1):
        for block in range(blocks):
            at, stride = f"layer{layer}.{block}", 2 if layer > 1 and block == 0 else 1
            y = relu(step(x, f"{at}.conv1", f"{at}.bn1"))
            y = avg_pool2d(relu(step(y, f"{at}.conv2", f"{at}.bn2", padding=1)), stride)
            y = step(y, f"{at}.conv3", f"{at}.bn3")
            if block == 0:
                x = step(avg_pool2d(x, stride), f"{at}.downsample.0", f"{at}.downsample.1")
            x = relu(x + y)
    return x


def test_a_stride_is_an_average_pooling_behind_the_convolution():
    model, pixels = small(), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        grid = model(pixels)
    assert grid.shape == (2, 8 * 4 * WIDTH, 2, 2) and grid.std() > 0
    torch.testing.assert_close(grid, reference(model.state_dict(), pixels))


def test_batch_norms_are_frozen_even_in_training():
    model, pixels = small(), torch.randn(2, 3, 64, 64)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    first = model(pixels)
    assert torch.equal(model.train()(pixels), first)
    assert not any(module.training for module in model.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def open_clip_names(tensors):
    return {f"visual.{name}": tensor for name, tensor in tensors.items()}


TIMM_BLOCKS = {
    r"\.(conv|bn)2\.": r".conv2_kxk.\1.",
    r"\.(conv|bn)([13])\.": r".conv\2_1x1.\1.",
    r"downsample\.0": "shortcut.conv.conv",
    r"downsample\.1": "shortcut.conv.bn",
    r"^layer(\d)": lambda found: f"stages.{int(found[1]) - 1}",
}


def timm_name(name):
    if not name.startswith("layer"):
        return re.sub(r"(conv|bn)(\d)", r"stem.conv\2.\1", name)
    for ours, theirs in TIMM_BLOCKS.items():
        name = re.sub(ours, theirs, name)
    return name


def timm_names(tensors):
    return {timm_name(name): tensor for name, tensor in tensors.items()}


@pytest.mark.parametrize("names", [open_clip_names, timm_names])
def test_files_with_published_names_are_read_whatever_else_they_hold(names, tmp_path):
    model = small()
    published = names(model.state_dict())
    assert published.keys() & model.state_dict().keys() == set()
    others = {"visual.attnpool.k_proj.weight", "head.q.weight", "transformer.resblocks.0.ln_1.weight", "logit_scale"}
    save_file(published | {name: torch.zeros(1) for name in others}, tmp_path / "model.safetensors")
    loaded = load_published(ModifiedResNet(BLOCKS, WIDTH), tmp_path / "model.safetensors")
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in loaded.state_dict().items())


@pytest.mark.parametrize("names", [open_clip_names, timm_names])
def test_a_file_of_another_network_is_refused(names, tmp_path):
    tensors = names(small().state_dict())
    save_file(tensors, tmp_path / "small.safetensors")
    with pytest.raises(RuntimeError, match=r"missing tensors: \['layer2.2.conv1.weight'"):
        load_published(ModifiedResNet((1, 3, 1, 1), WIDTH), tmp_path / "small.safetensors")
    with pytest.raises(RuntimeError, match=r"unexpected tensors: \['layer2.1"):
        load_published(ModifiedResNet((1, 1, 1, 1), WIDTH), tmp_path / "small.safetensors")


TIMM_GRID = """
import sys, torch, timm
from safetensors.torch import load_file, save_file
torch.manual_seed(0)
model = timm.create_model("resnet101_clip", pretrained=False).eval()
for module in model.modules():
    if hasattr(module, "running_var"):
        module.running_mean.normal_(std=0.1); module.running_var.uniform_(0.5, 1.5)
pixels = torch.randn(1, 3, 224, 224)
with torch.no_grad():
    save_file({"pixels": pixels, "grid": model.forward_features(pixels)}, sys.argv[1] + "/grid.safetensors")
save_file(model.state_dict(), sys.argv[1] + "/model.safetensors")
"""


def test_rn101_equals_timms(tmp_path):
    if find_spec("timm") is None:
        pytest.skip("timm is not installed")
    # In a process of its own, because timm imports torchvision, which this project does without.
    ran = subprocess.run([sys.executable, "-c", TIMM_GRID, str(tmp_path)], capture_output=True, text=True)
    if ran.returncode and "import" in ran.stderr:
        pytest.skip(f"timm does not import here: {ran.stderr.strip().splitlines()[-1]}")
    assert ran.returncode == 0, ran.stderr
    wanted = load_file(tmp_path / "grid.safetensors")
    with torch.no_grad():
        grid = load_published(ModifiedResNet(), tmp_path / "model.safetensors")(wanted["pixels"])
    torch.testing.assert_close(grid, wanted["grid"])
