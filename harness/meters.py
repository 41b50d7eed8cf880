"""Readings of this process and its device: peak memory, energy and floating-point operations.

What a machine cannot tell is None.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from harness.data import Batch
from harness.training import batch_loss
from harness.workbench import Workbench

PROC = Path("/proc/self")
RESET_PEAK = "5"  # written to clear_refs, makes the kernel forget the peak resident set (Linux 4.0)


@dataclass(frozen=True)
class Peak:
    """Peak memory of a phase in bytes: resident set on a CPU, allocated and reserved on CUDA."""

    resident: int | None = None
    allocated: int | None = None
    reserved: int | None = None

    def or_higher(self, other: Peak) -> Peak:
        """The higher one of each figure; one that is None does not count."""
        return Peak(
            _highest(self.resident, other.resident),
            _highest(self.allocated, other.allocated),
            _highest(self.reserved, other.reserved),
        )


class PeakMeter:
    """Peak memory of this process since `start`; other processes do not count.

    What earlier phases left behind is given back first, or a peak would depend on what ran before: building
    the cache, for instance.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._before = Peak()  # of this phase, up to its last pause

    def start(self) -> None:
        """Forget earlier peaks."""
        self._before = Peak()
        self._reset()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out what happens inside."""
        before = self.read()
        yield
        self._reset()
        self._before = before

    def read(self) -> Peak:
        """The peak since `start`."""
        return self._before.or_higher(self._read())

    def _reset(self) -> None:
        _give_memory_back(self.device)
        self._resettable = True
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            return
        try:
            (PROC / "clear_refs").write_text(RESET_PEAK)
        except OSError:
            self._resettable = False

    def _read(self) -> Peak:
        if self.device.type == "cuda":
            return Peak(
                allocated=torch.cuda.max_memory_allocated(self.device),
                reserved=torch.cuda.max_memory_reserved(self.device),
            )
        return Peak(resident=_peak_resident() if self._resettable else None)


def _highest(*figures: int | None) -> int | None:
    return max((figure for figure in figures if figure is not None), default=None)


def _give_memory_back(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):  # glibc alone has it
        trim(0)


def _peak_resident() -> int | None:
    try:
        lines = (PROC / "status").read_text().splitlines()
    except OSError:
        return None
    kibibytes = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return kibibytes[0] * 1024 if kibibytes else None


def energy_joules(device: torch.device) -> float | None:
    """Energy that a CUDA device has used since its driver was loaded, by NVML's counter.

    The counter is the whole device's, and no process can tell who else uses the device now and then. So this is
    None unless the driver itself keeps all others off (compute mode EXCLUSIVE_PROCESS).
    """
    if device.type != "cuda":
        return None
    import pynvml

    try:
        pynvml.nvmlInit()
        # Not by index: CUDA_VISIBLE_DEVICES renumbers devices for torch alone.
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
        if pynvml.nvmlDeviceGetComputeMode(handle) != pynvml.NVML_COMPUTEMODE_EXCLUSIVE_PROCESS:
            return None
        millijoules: int = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except pynvml.NVMLError:
        return None
    return millijoules / 1000


def training_flops(bench: Workbench, batch: Batch, form: str) -> int | None:
    """Floating-point operations of forward and backward on a batch (on the device), by torch's counter.

    Attention runs as plain matrix products, because the counter sees nothing of the fused kernel on a CPU.
    """
    counter = FlopCounterMode(display=False)
    try:
        with sdpa_kernel(SDPBackend.MATH), counter, bench.context.on(batch.task):
            with bench.autocast():
                logits = bench.model(batch.ids, batch.mask, batch.features, batch.labels)
            loss = batch_loss(logits, batch.labels, batch.weights, form)
            extra = bench.method.regulariser(bench.model)
            (loss if extra is None else loss + extra).backward()
    except (RuntimeError, NotImplementedError):  # an operation that the counter or the kernel cannot serve
        return None
    finally:
        _forget_gradients(bench.model)
    return counter.get_total_flops()


def _forget_gradients(model: nn.Module) -> None:
    for parameter in model.parameters():
        parameter.grad = None
