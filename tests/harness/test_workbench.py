"""What makes numbers come out the same."""

import subprocess
import sys

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


def test_products_keep_the_digits_of_float32():
    """In a process of its own: torch decides on its kernels at the first product."""
    code = (
        "import torch; from harness.workbench import make_reproducible; make_reproducible(1, torch.device('cpu'));"
        "torch.manual_seed(0); a, b = torch.randn(512, 512), torch.randn(512, 512);"
        "print(((a @ b).double() - a.double() @ b.double()).abs().max().item())"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(answer.stdout) < 1e-3  # with products in bfloat16 it is about 0.2
