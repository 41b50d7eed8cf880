"""Training: losses against closed forms, schedule, decay groups, reproducibility, learning, divergence."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch
from small_tasks import SmallColour
from small_world import Everything, bench, data, mixture

import harness.training
from harness.cells import Settings
from harness.data import Mixture
from harness.errors import Diverged
from harness.evaluation import evaluate
from harness.plugins import find_methods
from harness.training import Hooks, Stepper, batch_loss, parameter_groups, rate_factor, train


def settings(**changes):
    return Settings(**({"epochs": 2, "batch_size": 8, "precision": "float32"} | changes))


class TestLoss:
    """Three tokens of a vocabulary of two: cross-entropies log 2, log 4 and, with logits (0, log 7), log 8."""

    logits = torch.tensor([[[0.0, 0.0], [0.0, math.log(3)]], [[0.0, math.log(7)], [9.0, 9.0]]])
    labels = torch.tensor([[0, 0], [0, -100]])
    weights = torch.tensor([0.5, 0.25])
    first, second = (math.log(2) + math.log(4)) / 2, math.log(8)

    @pytest.mark.parametrize(
        ("form", "expected"),
        [
            ("example", (first + second) / 2),
            ("weighted-example", (0.5 * first + 0.25 * second) / 2),
            ("token", (math.log(2) + math.log(4) + math.log(8)) / 3),
        ],
    )
    def test_forms(self, form, expected):
        assert batch_loss(self.logits, self.labels, self.weights, form).item() == pytest.approx(expected)

    def test_half_precision_logits_are_summed_in_float32(self):
        loss = batch_loss(self.logits.bfloat16(), self.labels, self.weights, "token")
        assert loss.dtype == torch.float32

    @pytest.mark.parametrize("form", ["example", "weighted-example", "token"])
    def test_nothing_to_learn_is_no_loss(self, form):
        assert batch_loss(self.logits, torch.full((2, 2), -100), self.weights, form).item() == 0


def test_schedule():
    factors = [rate_factor(step, 100, 0.1) for step in range(101)]
    assert factors[0] == 0
    assert factors[5] == pytest.approx(0.5)
    assert factors[10] == max(factors) == 1
    assert factors[55] == pytest.approx(0.5)
    assert factors[100] == 0
    assert rate_factor(0, 5, 0.1) == 1  # int(0.5) steps of warm-up are none


def test_decay_goes_by_the_papers_names():
    model = torch.nn.ModuleDict(
        {
            "self_attn_layer_norm": torch.nn.LayerNorm(2),
            "LayerNorm": torch.nn.LayerNorm(2),
            "linear": torch.nn.Linear(2, 2),
            "frozen": torch.nn.Linear(2, 2).requires_grad_(False),
        }
    )
    names = {parameter: name for name, parameter in model.named_parameters()}
    decayed, free = parameter_groups(model, 1e-3, 0.01)
    assert decayed["weight_decay"] == 0.01
    assert {names[p] for p in decayed["params"]} == {"self_attn_layer_norm.weight", "linear.weight"}
    assert free["weight_decay"] == 0
    assert {names[p] for p in free["params"]} == {
        "self_attn_layer_norm.bias",
        "LayerNorm.weight",
        "LayerNorm.bias",
        "linear.bias",
    }


def test_the_first_step_moves_nothing_and_gradients_are_clipped(tmp_path):
    work, mixed = bench(), mixture(tmp_path)
    stepper = Stepper(work, settings(weight_decay=0, clip_norm=1e-3), 100, mixed.forms)
    before = [p.clone() for p in stepper.parameters]
    norms = []

    def note_norm(*_):
        gradients = [p.grad for p in stepper.parameters if p.grad is not None]
        norms.append(torch.nn.utils.get_total_norm(gradients).item())

    stepper.optimiser.register_step_pre_hook(note_norm)
    batches = mixed.epoch(0)
    stepper.step(next(batches).to(work.device))
    assert all((a == b).all() for a, b in zip(before, stepper.parameters, strict=True))
    stepper.step(next(batches).to(work.device))
    assert any((a != b).any() for a, b in zip(before, stepper.parameters, strict=True))
    assert norms == [pytest.approx(1e-3, rel=1e-2)] * 2


def test_the_context_names_the_task_in_forward_and_backward(tmp_path):
    work, seen = bench(), []
    work.model.visual.register_forward_pre_hook(lambda *_: seen.append(work.context.task))
    work.model.visual.register_full_backward_hook(lambda *_: seen.append(work.context.task))
    mixed = mixture(tmp_path)
    train(work, mixed, settings(epochs=1), Hooks())
    assert seen == [task for task in mixed.order(0) for _ in range(2)]


def test_a_method_may_add_loss_and_act_after_each_step(tmp_path):
    acts = []

    class Nosy(Everything):
        def regulariser(self, model):
            return torch.tensor(1000.0)

        def after_step(self, model, step, steps):
            acts.append((step, steps, model.visual.image_order.weight.grad is not None))

    lines = []
    train(bench(Nosy()), mixture(tmp_path), settings(epochs=1), Hooks(log=lines.append))
    assert acts == [(step, 12, True) for step in range(1, 13)]
    assert all(line["loss"] > 1000 for line in lines)


def run(folder: Path, seed: int = 0):
    work = bench(dropout=0.1)
    lines = []
    torch.manual_seed(seed)
    train(work, mixture(folder, seed=seed), settings(), Hooks(log=lines.append))
    return lines, [p.detach().clone() for p in work.model.parameters()]


def test_the_same_cell_gives_bit_identical_numbers(tmp_path):
    (lines, weights), (lines_again, weights_again) = run(tmp_path / "cold"), run(tmp_path / "cold")
    assert lines == lines_again
    assert all(torch.equal(a, b) for a, b in zip(weights, weights_again, strict=True))
    assert run(tmp_path / "cold", seed=1)[0] != lines


def test_the_curve_has_one_line_per_task(tmp_path):
    lines, _ = run(tmp_path)
    assert [line["step"] for line in lines] == [20] * 3 + [24] * len(lines[3:])
    assert {line["task"] for line in lines} == {"small-colour", "small-truth", "small-caption"}
    assert lines[-1]["epoch"] == 2
    assert set(lines[0]) == {"step", "epoch", "task", "loss", "learning_rate"}


def test_a_tiny_set_is_learned_by_heart(tmp_path):
    work, task_data = bench(), data(tmp_path, SmallColour)
    train(work, Mixture([task_data], 4, 0), settings(epochs=30), Hooks())
    assert evaluate(work, task_data, 10).scored.value == 1


def test_the_best_epoch_is_put_back(tmp_path):
    work, values, copies = bench(), iter([0.2, 0.6, 0.6, 0.1]), []

    def select():
        assert not work.model.training
        copies.append([p.detach().clone() for p in work.model.parameters()])
        return next(values)

    trained = train(work, mixture(tmp_path), settings(epochs=4), Hooks(select=select))
    assert trained.selected_epoch == 2
    assert all(torch.equal(a, b) for a, b in zip(work.model.parameters(), copies[1], strict=True))


def test_no_epochs_leave_the_model_alone(tmp_path):
    work = bench()
    before = [p.detach().clone() for p in work.model.parameters()]
    trained = train(work, mixture(tmp_path), settings(epochs=0), Hooks())
    assert (trained.steps, trained.selected_epoch) == (0, None)
    assert all(torch.equal(a, b) for a, b in zip(before, work.model.parameters(), strict=True))


def test_a_loss_that_is_no_number_stops_training(tmp_path):
    class Exploding(Everything):
        def after_step(self, model, step, steps):
            if step == 3:
                torch.nn.init.constant_(model.lm.model.shared.weight, float("nan"))

    states = []
    with pytest.raises(Diverged, match="nan in step 4 of 24"):
        train(bench(Exploding()), mixture(tmp_path), settings(), Hooks(progress=states.append))
    assert states[-1].step == 4


def test_no_epoch_that_scored_a_number_is_no_result(tmp_path):
    with pytest.raises(Diverged, match="no epoch can be selected"):
        train(bench(), mixture(tmp_path), settings(), Hooks(select=lambda: math.nan))


def test_weights_broken_by_the_last_step_are_noticed(tmp_path):
    class Exploding(Everything):
        def after_step(self, model, step, steps):
            if step == steps:
                model.lm.model.shared.weight.data[3, 3] = math.nan

    with pytest.raises(Diverged, match="after 24 steps"):
        train(bench(Exploding()), mixture(tmp_path), settings(), Hooks())


def test_training_names_no_method():
    code = Path(harness.training.__file__).read_text()
    names = find_methods().names()
    assert names
    assert [name for name in names if re.search(rf"['\"]{re.escape(name)}['\"]", code)] == []
    assert "isinstance" not in code
