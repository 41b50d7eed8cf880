"""The measuring phase and the meters."""

from __future__ import annotations

import platform

import numpy as np
import pytest
import torch
from small_tasks import SmallCaption, SmallTruth
from small_world import bench, data, mixture

from harness import measurement
from harness.cells import Settings
from harness.measurement import measure, spread
from harness.meters import PeakMeter, energy_joules, training_flops

CPU = torch.device("cpu")


def test_spread_is_median_and_quartiles():
    found = spread([10, 20, 30, 40, 50], [1, 1, 1, 1, 1])
    assert (found.lower, found.median, found.upper, found.count) == (20, 30, 40, 5)
    assert spread([8], [4]).median == 2


def test_everything_is_measured(tmp_path):
    work = bench()
    report = [data(tmp_path, task, "report") for task in (SmallTruth, SmallCaption)]
    speed = measure(work, mixture(tmp_path), report, Settings(precision="float32"), lambda: True)
    assert speed.exclusive
    assert speed.threads == torch.get_num_threads()
    assert speed.training_step_seconds.count == measurement.TRAINING_STEPS
    for name, value in speed.model_dump().items():
        assert value is not None, name
    assert 0 < speed.data_wait_share < 1
    assert 0 < speed.latency_p50_seconds <= speed.latency_p95_seconds
    tokens, samples = speed.training_tokens_per_second.median, speed.training_samples_per_second.median
    assert 8 < tokens / samples < 20  # 4 or 8 visual tokens, 3 to 8 of text, 3 to 5 of the target


def test_generation_is_timed_on_the_trained_weights_and_repeated(tmp_path, monkeypatch):
    work, before, asked = bench(), {}, []
    before |= {name: tensor.clone() for name, tensor in work.model.state_dict().items()}
    answer = measurement.Answerer.answer

    def watched(self, batch):
        state = work.model.state_dict()
        asked.append((len(batch), not work.model.training and all(state[n].equal(t) for n, t in before.items())))
        return answer(self, batch)

    monkeypatch.setattr(measurement.Answerer, "answer", watched)
    report = [data(tmp_path, task, "report") for task in (SmallTruth, SmallCaption)]
    measure(work, mixture(tmp_path), report, Settings(precision="float32"), lambda: True)
    sizes = [size for size, _ in asked]
    assert sizes == [9] * 2 * (1 + measurement.BATCHES) + [1] * (2 + measurement.ANSWERS)
    assert all(untouched for _, untouched in asked)


def test_slow_steps_are_cut_short(tmp_path, monkeypatch):
    monkeypatch.setattr(measurement, "BUDGET_SECONDS", 0.0)
    speed = measure(bench(), mixture(tmp_path), [data(tmp_path, SmallTruth)], Settings(), lambda: False)
    assert speed.training_step_seconds.count == measurement.FEWEST_STEPS
    assert not speed.exclusive


def test_operations_of_a_linear_layer_are_counted(tmp_path):
    """Doubling the batch doubles the operations of everything but nothing else; attention is not zero."""
    work, task_data = bench(), data(tmp_path, SmallTruth)
    counts = []
    for size in (4, 8):
        batch = task_data.batch(np.arange(size), task_data.draw(0, 0)[:size]).to(CPU)
        counts.append(training_flops(work, batch, "example"))
    visual = work.model.visual.feature[0]
    assert counts[0] > 2 * 4 * 8 * visual.weight.numel()  # 2 per weight and visual token, in forward alone
    assert counts[1] == pytest.approx(2 * counts[0], rel=0.01)
    assert all(parameter.grad is None for parameter in work.model.parameters())


def test_the_peak_is_that_of_the_phase():
    meter = PeakMeter(CPU)
    meter.start()
    block = np.ones(64 << 20, np.uint8)
    high = meter.read().resident
    if high is None:
        pytest.skip("this system does not reset its peak")
    del block
    meter.start()
    assert meter.read().resident < high - (32 << 20)
    assert meter.read().allocated is None


def test_a_pause_leaves_its_peak_out():
    meter = PeakMeter(CPU)
    meter.start()
    if meter.read().resident is None:
        pytest.skip("this system does not reset its peak")
    block = np.ones(32 << 20, np.uint8)
    del block
    with meter.paused():
        block = np.ones(128 << 20, np.uint8)
        high = meter.read().resident
        del block
    assert meter.read().resident < high - (64 << 20)
    assert meter.read().resident > high - (112 << 20)  # what was before the pause still counts


def test_small_leftovers_of_earlier_phases_do_not_count():
    meter = PeakMeter(CPU)
    meter.start()
    clean = meter.read().resident
    if clean is None or platform.libc_ver()[0] != "glibc":
        pytest.skip("this system does not give memory back")
    pieces = [bytes(8000) for _ in range(8000)]  # too small to be mapped one by one
    kept = pieces[-1]
    del pieces
    meter.start()
    assert len(kept) == 8000
    assert meter.read().resident < clean + (32 << 20)


def test_a_cpu_has_no_energy_counter():
    assert energy_joules(CPU) is None
