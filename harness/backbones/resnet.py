"""CLIP's modified ResNet (Radford et al. 2021, section 2.4), up to the grid that its attention pooling would read.

Unlike the usual ResNet, three 3 × 3 convolutions and an average pooling stand at the start, and every convolution of
stride 2 is one of stride 1 with an average pooling behind it. Layers have the names of the published code; weights of
timm's names are renamed when they are read.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from safetensors import safe_open
from torch import Tensor, nn

RN101_BLOCKS = (3, 4, 23, 3)
EXPANSION = 4  # output channels of a block per inner channel


class ModifiedResNet(nn.Module):
    """Pixels (n, 3, 224, 224) -> grid (n, 2048, 7, 7); other sizes of image and ``width`` in proportion.

    Batch norms are frozen: they keep to their published statistics in training, too.
    """

    image_size = 224

    def __init__(self, blocks: Sequence[int] = RN101_BLOCKS, width: int = 64) -> None:
        """``blocks`` in each of four layers; ``width``: channels before the first one."""
        super().__init__()
        self.conv1 = nn.Conv2d(3, width // 2, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width // 2)
        self.conv2 = nn.Conv2d(width // 2, width // 2, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width // 2)
        self.conv3 = nn.Conv2d(width // 2, width, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.avgpool = nn.AvgPool2d(2)
        channels = width
        for number, count in enumerate(blocks):
            inner, stride = width << number, 1 if number == 0 else 2
            layer = nn.Sequential(Block(channels, inner, stride))
            channels = inner * EXPANSION
            layer.extend(Block(channels, inner) for _ in range(count - 1))
            self.add_module(f"layer{number + 1}", layer)
        self.width = channels
        self.eval()

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode."""
        return super().train(False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Three convolutions, average pooling, four layers."""
        x = self.bn1(self.conv1(pixels)).relu()
        x = self.bn2(self.conv2(x)).relu()
        x = self.bn3(self.conv3(x)).relu()
        x = self.avgpool(x)
        for name, layer in self.named_children():
            if name.startswith("layer"):
                x = layer(x)
        return x


class Block(nn.Module):
    """Bottleneck: (n, channels, h, w) -> (n, 4 · inner, h / stride, w / stride), h and w whole multiples of stride."""

    def __init__(self, channels: int, inner: int, stride: int = 1) -> None:
        super().__init__()
        out = inner * EXPANSION
        self.conv1 = nn.Conv2d(channels, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.avgpool = nn.AvgPool2d(stride)
        self.conv3 = nn.Conv2d(inner, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.downsample: nn.Module = nn.Identity()
        if channels != out or stride > 1:
            conv = nn.Conv2d(channels, out, 1, bias=False)
            parts = {"-1": nn.AvgPool2d(stride), "0": conv, "1": nn.BatchNorm2d(out)}
            self.downsample = nn.Sequential(OrderedDict(parts))

    def forward(self, x: Tensor) -> Tensor:
        """The three convolutions beside the shortcut."""
        y = self.bn1(self.conv1(x)).relu()
        y = self.avgpool(self.bn2(self.conv2(y)).relu())
        return (self.bn3(self.conv3(y)) + self.downsample(x)).relu()


_OPEN_CLIP = "visual."  # open_clip's files hold the text encoder, too
_TIMM = (  # its names, and ours
    (r"stem\.conv(\d)\.conv", r"conv\1"),
    (r"stem\.conv(\d)\.bn", r"bn\1"),
    (r"stages\.(\d)\.(\d+)\.conv(\d)_\w+\.conv", r"layer{}.\2.conv\3"),
    (r"stages\.(\d)\.(\d+)\.conv(\d)_\w+\.bn", r"layer{}.\2.bn\3"),
    (r"stages\.(\d)\.(\d+)\.shortcut\.conv\.conv", r"layer{}.\2.downsample.0"),
    (r"stages\.(\d)\.(\d+)\.shortcut\.conv\.bn", r"layer{}.\2.downsample.1"),
)
_COUNTER = "num_batches_tracked"  # of batch norms; nothing reads it here


def load_published(model: ModifiedResNet, path: Path) -> ModifiedResNet:
    """Fill the model from open_clip's or timm's safetensors file.

    Raises:
        SafetensorError: the file is broken.
        RuntimeError: it holds another model.
    """
    with safe_open(path, framework="pt") as file:
        tensors = {own: file.get_tensor(name) for name in file.keys() if (own := own_name(name))}  # noqa: SIM118
    report = model.load_state_dict(tensors, strict=False)
    lost = [name for name in report.missing_keys if not name.endswith(_COUNTER)]
    if lost or report.unexpected_keys:
        raise RuntimeError(f"missing tensors: {lost[:3]}, unexpected tensors: {report.unexpected_keys[:3]}")
    return model


def own_name(published: str) -> str | None:
    """What this module calls a tensor of open_clip's or timm's file; None if it has no such tensor.

    It has no text encoder, no attention pooling and no counters of batch norms.
    """
    if published.endswith(_COUNTER):
        return None
    if published.startswith(_OPEN_CLIP):
        own = published.removeprefix(_OPEN_CLIP)
        return None if own.startswith("attnpool.") else own
    module, _, leaf = published.rpartition(".")
    for theirs, ours in _TIMM:
        if found := re.fullmatch(theirs, module):
            # timm counts stages from 0, the published code from 1.
            return f"{found.expand(ours.format(int(found[1]) + 1))}.{leaf}"
    return None
