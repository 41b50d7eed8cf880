"""A model with its method attached, on its device: what training, evaluation and measurement work on."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from harness.backbones.joint import JointBackbone
from harness.errors import UserError
from methods import Method, TaskContext

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Workbench:
    """The parts of one running cell that compute."""

    model: JointBackbone
    tokenizer: PreTrainedTokenizerFast
    method: Method
    context: TaskContext
    device: torch.device
    dtype: torch.dtype = torch.float32  # of matrix products; weights and losses stay float32

    def autocast(self) -> torch.autocast:
        """Context of a forward pass in this precision."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)

    def synchronise(self) -> None:
        """Wait until the device has done what it was given, so that clocks tell the truth."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def find_device(name: str) -> torch.device:
    """Resolve ``--device``; "auto" is CUDA when there is one.

    Raises:
        UserError: torch knows no such device, or it is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"device {name!r} cannot be used ({reason}); try --device cpu") from error
    return device


def find_dtype(precision: Literal["auto", "float32", "bfloat16", "float16"], device: torch.device) -> torch.dtype:
    """Resolve ``--precision``; "auto" is bfloat16 on a CUDA device that computes in it, else float32.

    Raises:
        UserError: float16 on a CPU, where its gradients cannot be scaled.
    """
    if precision == "auto":
        return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
    if precision == "float16" and device.type == "cpu":
        raise UserError("precision float16 needs CUDA; use float32 or bfloat16 on a CPU")
    return DTYPES[precision]


def seed_everything(seed: int) -> None:
    """Seed Python's, numpy's and torch's global generators."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _choose_products() -> None:
    """Have oneDNN compute float32 products where torch's default, MKL, does not use AVX-512: on AMD's processors.

    That is 2.4 times as fast there, but makes torch's fused attention slow (see `attention`). The switch permits
    bfloat16 inside, of which oneDNN makes use on processors with tiles (AMX) alone: those keep the default, and so
    every digit of float32.
    """
    # The probe is torch's own but not public; without it nothing is switched.
    tiles = getattr(torch.cpu, "_is_amx_tile_supported", lambda: True)()
    if torch.backends.cpu.get_cpu_capability() == "AVX512" and not tiles:
        torch.backends.mkldnn.matmul.fp32_precision = "bf16"  # type: ignore[attr-defined]


def attention() -> str:
    """Name the attention that suits how products are computed: "eager" where oneDNN computes them, else "sdpa".

    The fused attention's many small products are then five times as slow as without the switch.
    """
    return "eager" if torch.backends.mkldnn.matmul.fp32_precision == "bf16" else "sdpa"  # type: ignore[attr-defined]


def make_reproducible(threads: int, device: torch.device) -> None:
    """Fix the number of threads, forbid TF32, and on a CPU ask for deterministic kernels."""
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("highest")
    _choose_products()
    torch.backends.cudnn.allow_tf32 = False  # of convolutions, on by default
    torch.use_deterministic_algorithms(device.type == "cpu", warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
