"""Training: one optimisation step after another over a mixture of tasks (methods-facts 1.2, model-facts 3.2).

What a method adds to a step (its own loss, something after each step) is asked of the method.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from harness.cells import Settings
from harness.data import IGNORED, Batch, Mixture
from harness.errors import Diverged
from harness.workbench import Workbench

LOG_STEPS = 20  # losses are read, checked and logged this often: reading one makes CUDA wait
TELL_SECONDS = 1.0  # progress is reported at most this often
NOT_DECAYED = ("bias", "LayerNorm.weight")  # parts of names, as in the papers' code
ENCODER_RATE = 1e-4  # peak learning rate of an image encoder that trains: the default of VL-Adapter's code (vis_lr)


@dataclass(frozen=True)
class Progress:
    """Where training stands."""

    step: int  # steps done
    steps: int
    epoch: int  # counted from 1
    loss: float | None  # mean over the last steps
    seconds_left: float | None


@dataclass(frozen=True)
class Hooks:
    """What training tells the outside."""

    before_step: Callable[[], None] = lambda: None
    progress: Callable[[Progress], None] = lambda _: None
    log: Callable[[dict[str, Any]], None] = lambda _: None  # lines of the loss curve
    select: Callable[[], float] | None = None  # value to maximise after each epoch; None: keep the last epoch


@dataclass(frozen=True)
class Trained:
    """What training came to; the chosen epoch's weights are in the model."""

    steps: int
    selected_epoch: int | None  # counted from 1; None without any epoch


def batch_loss(logits: Tensor, labels: Tensor, weights: Tensor, form: str) -> Tensor:
    """Loss of a batch; with c the cross-entropy and m the mask of target tokens, in float32:

    example:           mean_b ( sum_t m c / max(1, sum_t m) )
    weighted-example:  mean_b ( weight_b · sum_t m c / max(1, sum_t m) )
    token:             sum_bt m c / max(1, sum_bt m)

    Shapes: logits (b, t, vocabulary), labels (b, t) padded with -100, weights (b,).
    """
    losses = cross_entropy(
        logits.float().flatten(0, 1), labels.flatten(), reduction="none", ignore_index=IGNORED
    ).view_as(labels)
    counts = (labels != IGNORED).sum(1)
    if form == "token":
        return losses.sum() / counts.sum().clamp(min=1)
    means = losses.sum(1) / counts.clamp(min=1)
    return (weights * means).mean() if form == "weighted-example" else means.mean()


def rate_factor(step: int, steps: int, warmup_share: float) -> float:
    """Share of the peak learning rate at a step counted from 0: linearly up, then linearly down to 0."""
    warmup = int(warmup_share * steps)
    if step < warmup:
        return step / max(1, warmup)
    return max(0.0, (steps - step) / max(1, steps - warmup))


def parameter_groups(
    model: nn.Module, peak_rate: float, weight_decay: float, encoder: nn.Module | None = None
) -> list[dict[str, Any]]:
    """Optimiser groups of the parameters that train: with weight decay, then without; those of an encoder apart."""
    apart = set(encoder.parameters()) if encoder else set()
    groups: defaultdict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decay = 0.0 if any(part in name for part in NOT_DECAYED) else weight_decay
            groups[decay, ENCODER_RATE if parameter in apart else peak_rate].append(parameter)
    return [
        {"params": groups[decay, rate], "weight_decay": decay, "peak_rate": rate}
        for decay, rate in sorted(groups, reverse=True)
    ]


class Stepper:
    """AdamW step by step, with linear warm-up and decay and gradients clipped by their global norm."""

    def __init__(self, bench: Workbench, settings: Settings, steps: int, forms: dict[str, str]) -> None:
        """``steps`` is the length of the schedule, ``forms`` the form of each task's loss."""
        self.bench = bench
        self.settings = settings
        self.steps = steps
        self.forms = forms
        self.done = 0
        self.peak_rate = settings.learning_rate or bench.method.learning_rate
        groups = parameter_groups(bench.model, self.peak_rate, settings.weight_decay, bench.model.visual.encoder)
        self.parameters = [parameter for group in groups for parameter in group["params"]]
        self.optimiser = torch.optim.AdamW(groups, self.peak_rate, (0.9, 0.999), eps=1e-6, fused=True)
        self.scaler = torch.amp.GradScaler(bench.device.type, enabled=bench.dtype == torch.float16)

    @property
    def rate(self) -> float:
        """Learning rate of the next step."""
        return self.peak_rate * self._factor

    @property
    def _factor(self) -> float:
        return rate_factor(self.done, self.steps, self.settings.warmup_share)

    def step(self, batch: Batch) -> Tensor:
        """Learn from a batch that is on the device; return its loss (scalar, detached)."""
        bench = self.bench
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak_rate"] * self._factor
        # Gradient checkpointing runs the forward again in backward(), so the task stays named until then.
        with bench.context.on(batch.task):
            with bench.autocast():
                logits = bench.model(batch.ids, batch.mask, batch.features, batch.labels)
            loss = batch_loss(logits, batch.labels, batch.weights, self.forms[batch.task])
            extra = bench.method.regulariser(bench.model)
            if extra is not None:
                loss = loss + extra
            self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimiser)
        clip_grad_norm_(self.parameters, self.settings.clip_norm)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.done += 1
        bench.method.after_step(bench.model, self.done, self.steps)
        self.optimiser.zero_grad(set_to_none=True)
        return loss.detach()


def train(bench: Workbench, mixture: Mixture, settings: Settings, hooks: Hooks) -> Trained:
    """Train for all epochs; with ``hooks.select`` put back the weights of the (first) best epoch.

    Raises:
        Diverged: a loss or a trained weight is infinite or not a number, or no epoch's score is a number.
    """
    steps = settings.epochs * mixture.steps_per_epoch
    stepper = Stepper(bench, settings, steps, mixture.forms)
    ledger = _Ledger(steps, hooks)
    best = _Best(stepper.parameters)
    for epoch in range(settings.epochs):
        bench.model.train()
        for batch in mixture.epoch(epoch):
            hooks.before_step()
            rate = stepper.rate
            ledger.add(epoch + 1, batch.task, stepper.step(batch.to(bench.device)), rate)
        if hooks.select is not None:
            bench.model.eval()
            best.offer(epoch + 1, hooks.select)
    bench.model.eval()
    selected = settings.epochs or None
    if hooks.select is not None and selected is not None:
        selected = best.restore()
    _check_weights(stepper.parameters, steps)
    return Trained(steps, selected)


def _check_weights(parameters: list[nn.Parameter], steps: int) -> None:
    """The loss of a step tells nothing of what the step itself did, so the last one needs a look of its own."""
    finite = [parameter.detach().isfinite().all() for parameter in parameters]
    if finite and not torch.stack(finite).all():
        raise Diverged(f"after {steps} steps trained weights are infinite or not numbers")


class _Best:
    """A copy of the trained parameters as they were in the best epoch so far."""

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        self.parameters = parameters
        self.epoch: int | None = None
        self.value = -math.inf
        self.copies: list[Tensor] = []

    def offer(self, epoch: int, select: Callable[[], float]) -> None:
        value = select()
        if value > self.value:
            self.epoch, self.value = epoch, value
            self.copies = [parameter.detach().clone() for parameter in self.parameters]

    def restore(self) -> int:
        """Put the copy back and return its epoch."""
        if self.epoch is None:
            raise Diverged("no epoch can be selected: not one scored a number on the selection split")
        for parameter, copy in zip(self.parameters, self.copies, strict=True):
            parameter.data.copy_(copy)
        return self.epoch


class _Ledger:
    """Collects losses where they are, and now and then reads, checks, logs and reports them."""

    def __init__(self, steps: int, hooks: Hooks) -> None:
        self.steps = steps
        self.hooks = hooks
        self.start = self.told = time.perf_counter()
        self.read = 0  # steps whose loss was read
        self.unread: list[tuple[str, Tensor]] = []
        self.unlogged: defaultdict[str, list[float]] = defaultdict(list)
        self.recent: deque[float] = deque(maxlen=LOG_STEPS)

    def add(self, epoch: int, task: str, loss: Tensor, rate: float) -> None:
        """Note the loss of the next step."""
        self.unread.append((task, loss))
        step = self.read + len(self.unread)
        log = step % LOG_STEPS == 0 or step == self.steps
        tell = time.perf_counter() - self.told > TELL_SECONDS
        if log or tell:
            self._read(epoch)
        if log:
            for name, losses in self.unlogged.items():
                mean = sum(losses) / len(losses)
                self.hooks.log({"step": step, "epoch": epoch, "task": name, "loss": mean, "learning_rate": rate})
            self.unlogged.clear()
        if tell:
            self._tell(epoch)

    def _read(self, epoch: int) -> None:
        losses = torch.stack([loss for _, loss in self.unread]).tolist()
        for (task, _), loss in zip(self.unread, losses, strict=True):
            self.read += 1
            if not math.isfinite(loss):
                self._tell(epoch)
                raise Diverged(f"the loss of {task} became {loss} in step {self.read} of {self.steps}")
            self.unlogged[task].append(loss)
            self.recent.append(loss)
        self.unread.clear()

    def _tell(self, epoch: int) -> None:
        self.told = time.perf_counter()
        left = (self.told - self.start) / self.read * (self.steps - self.read)
        mean = sum(self.recent) / len(self.recent) if self.recent else None
        self.hooks.progress(Progress(self.read, self.steps, epoch, mean, left))
