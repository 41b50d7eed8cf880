"""What makes numbers come out the same."""

import pytest
import torch

from harness.workbench import make_reproducible


@pytest.fixture(autouse=True)
def untouched():
    yield
    make_reproducible(1, torch.device("cpu"))


@pytest.mark.parametrize(("device", "deterministic"), [("cpu", True), ("cuda", False)])
def test_the_cells_own_device_decides_on_deterministic_kernels(device, deterministic):
    make_reproducible(1, torch.device(device))
    assert torch.are_deterministic_algorithms_enabled() == deterministic


def test_nothing_computes_in_tf32():
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    make_reproducible(1, torch.device("cpu"))
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
