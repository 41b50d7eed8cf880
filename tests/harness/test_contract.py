"""The contract kit tells a plugin that breaks a rule what is wrong, in one line, and leaves a good one alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import pytest
import torch
from pydantic import Field
from torch import Tensor, nn

from harness.contract import Broken, Check, checks, outcomes, refusal, rules
from methods import Backbone, Method, TaskContext, around, unfreeze


class Compute(nn.Module):
    """(x, y) -> what a function makes of a (width,) parameter s, which starts at one, and y."""

    def __init__(self, width: int, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.ones(width))
        self.function = function

    def forward(self, _x: Tensor, y: Tensor) -> Tensor:
        return self.function(self.s, y)


class Good(Method):
    """f(x) * s."""

    name = "good"
    title = "Good"
    identity_at_start = True

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Put a factor around every site."""
        for site in model.sites:
            around(site, Compute(site.width, lambda s, y: self.compute(s, y, context)))

    def compute(self, s: Tensor, y: Tensor, context: TaskContext) -> Tensor:
        """What becomes of a sub-layer's output y."""
        return s * y


class Misnamed(Good):
    """A name that no folder should have."""

    name = "Bad Name"


class Silent(Good):
    """A hyper-parameter without description."""

    rank: int = Field(3, ge=1)


class Preset(Good):
    """A preset of something else."""

    presets: ClassVar = {"t5": {"rnk": 3}}


class OutOfRange(Good):
    """A preset out of range."""

    presets: ClassVar = {"t5": {"learning_rate": -1.0}}


class Idle(Good):
    """Unfreezes what is not computed with."""

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """A parameter without use."""
        around(model.sites[0], Compute(model.width, lambda s, y: y))


class Hidden(Good):
    """Learns a tensor that nobody knows of."""

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """A leaf beside the module."""
        secret = torch.zeros(model.width, requires_grad=True)
        around(model.sites[0], Compute(model.width, lambda s, y: s * y + secret))


class Freezing(Good):
    """Freezes the visual embedding."""

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Freeze too much."""
        super().attach(model, context)
        model.visual.requires_grad_(False)


class Writing(Good):
    """Writes into frozen weights."""

    def after_step(self, model: Backbone, step: int, steps: int) -> None:
        """Shrink a weight."""
        with torch.no_grad():
            model.sites[0].exit.weight.mul_(0.99)


class Unsaved(Good):
    """Draws numbers that no checkpoint holds."""

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """A random direction in no module."""
        drawn = torch.randn(model.width)
        around(model.sites[0], Compute(model.width, lambda s, y: s * y + (s - 1) * drawn))


class Pretender(Good):
    """Says that it starts as the identity."""

    def compute(self, s: Tensor, y: Tensor, context: TaskContext) -> Tensor:
        """Twice."""
        return 2 * s * y


class Modest(Good):
    """Does not say that it starts as the identity."""

    identity_at_start = False


class Sticky(Good):
    """Says that it can be merged."""

    mergeable = True


class Wrecker(Good):
    """Merges something else."""

    def merge(self, model: Backbone) -> None:
        """Double a weight."""
        with torch.no_grad():
            model.sites[0].exit.weight.mul_(2)


class Foldable(Good):
    """Does not say that nothing is left."""

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Unfreeze alone."""
        unfreeze(model, "layer_?norm")


class Secretive(Good):
    """Reads the task without saying so."""

    def compute(self, s: Tensor, y: Tensor, context: TaskContext) -> Tensor:
        """By task."""
        return s * y if context.task == context.tasks[0] else y + 0 * s


class Deaf(Good):
    """Says that it needs the task."""

    needs_task = True


class Summing(Good):
    """Mixes positions."""

    def compute(self, s: Tensor, y: Tensor, context: TaskContext) -> Tensor:
        """Running sums."""
        return y + (s - 1) * y.cumsum(1)


class Sober(Good):
    """Says that it reads padding."""

    reads_padding = True


class Choosy(Good):
    """Looks at how attention is computed."""

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Another factor where attention is eager."""
        factor = 1 if model.lm.config._attn_implementation == "sdpa" else 2
        around(model.sites[0], Compute(model.width, lambda s, y: y + factor * (s - 1)))


class Counting(Good):
    """Counts its calls."""

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Another result at every call."""
        calls: list[int] = []

        def compute(s: Tensor, y: Tensor) -> Tensor:
            calls.append(1)
            return y * s * len(calls)

        for site in model.sites:
            around(site, Compute(site.width, compute))


class Overflowing(Good):
    """Overflows where numbers are coarse."""

    def compute(self, s: Tensor, y: Tensor, context: TaskContext) -> Tensor:
        """1 / 0 as soon as 1.001 is 1."""
        return s * y / (torch.full_like(y, 1.001) - 1) / 1000


class Peeking(Good):
    """Looks at the weights."""

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Read a number."""
        if model.sites[0].exit.weight.norm().item() > 0:
            super().attach(model, context)


class Branching(Good):
    """Decides by a number."""

    def compute(self, s: Tensor, y: Tensor, context: TaskContext) -> Tensor:
        """One of two ways."""
        return s * y if y.sum() > 0 else y * s


class Twice(Good):
    """Two modules at one place."""

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """The second is refused."""
        super().attach(model, context)
        super().attach(model, context)


class Crashing(Good):
    """Has a mistake."""

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Misspelt."""
        model.stites  # noqa: B018


class Picky(Good):
    """Serves BART alone."""

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Refuse T5."""
        if model.family == "t5":
            raise ValueError("T5 has no\nbiases")
        super().attach(model, context)


BROKEN = [
    (Misnamed, "declaration", "name is 'Bad Name': write lower-case words"),
    (Silent, "declaration", "no description of rank: write Field(..., description=...)"),
    (Preset, "declaration", "presets['t5'] sets rnk: declare it"),
    (OutOfRange, "declaration", "presets['t5']: learning_rate must be more than 0, not -1.0"),
    (Idle, "gradients", "no gradient reaches lm.model.encoder.layers.0.self_attn.out_proj.pet.s: compute with it"),
    (Idle, "training", "training leaves lm.model.encoder.layers.0.self_attn.out_proj.pet.s as it was"),
    (Hidden, "gradients", "a gradient reaches tensors that are not declared, of shape (32,): make them nn.Parameters"),
    (Freezing, "visual", "attach freezes box.0.bias, box.0.weight, box.1.bias and 6 more of the visual embedding"),
    (Writing, "training", "training changes lm.model.encoder.layers.0.self_attn.out_proj.weight, which is frozen"),
    (Unsaved, "storing", "what is stored does not restore the model (off by"),
    (Pretender, "identity", "identity_at_start is declared, but off by"),
    (Modest, "identity", "declare identity_at_start = True"),
    (Sticky, "merging", "mergeable is declared, but merge leaves lm.model.decoder.layers.0.enc"),
    (Wrecker, "merging", "the merged model is another one (off by"),
    (Foldable, "merging", "declare mergeable = True"),
    (Secretive, "routing", "declare needs_task = True, or do not read it"),
    (Deaf, "routing", "needs_task is declared, but two tasks are computed alike"),
    (Summing, "caching", "generation with cache writes other tokens than without"),
    (Summing, "padding", "reads tokens under padding (off by"),
    (Sober, "padding", "reads_padding is declared, but tokens under padding have no effect"),
    (Choosy, "attention", "eager and fused attention differ (off by"),
    (Counting, "checkpointing", "gradient checkpointing changes the step ("),
    (Overflowing, "bfloat16", "is not finite under bfloat16"),
    (Peeking, "counting", "RuntimeError: Tensor.item() cannot be called on meta tensors"),
    (Branching, "compiling", "Unsupported: Data-dependent branching"),
]


@pytest.mark.parametrize(
    ("method", "rule", "message"), [pytest.param(*case, id=f"{case[0].__name__}-{case[1]}") for case in BROKEN]
)
def test_a_broken_rule_is_told_in_one_line(method: type[Method], rule: str, message: str) -> None:
    with pytest.raises(Broken) as told:
        Check(getattr(rules, rule), method, "bart")()
    assert message in str(told.value)
    assert len(str(told.value).splitlines()) == 1


def test_every_rule_can_be_broken() -> None:
    assert {rule.__name__ for rule in (rules.declaration, *rules.RULES, *rules.SLOW_RULES)} == {
        rule for _, rule, _ in BROKEN
    }


def test_a_good_method_passes_every_rule_on_every_family() -> None:
    found = [(outcome.place, outcome.check, outcome.state, outcome.reason) for outcome in outcomes(Good)]
    per_family = [rule.__name__ for rule in rules.RULES]
    expected = [("", "declaration")] + [(family, rule) for family in ("bart", "t5") for rule in per_family]
    assert found == [(*place, "passed", "") for place in expected]
    assert [str(check) for check in checks(Good)][:2] == ["good-declaration", f"good-bart-{per_family[0]}"]


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        (Twice, "two methods at one place: this linear already carries a module; join them in one module"),
        (Crashing, "AttributeError: 'JointBart' object has no attribute 'stites'"),
    ],
)
def test_what_attaches_to_no_backbone_fails_once_per_family(method: type[Method], reason: str) -> None:
    first, second, *others = list(outcomes(method))
    assert (first.place, first.check, first.state, first.reason) == ("bart", "attach", "failed", reason)
    assert (second.place, second.check, second.state) == ("t5", "attach", "failed")
    assert [outcome.check for outcome in others] == ["declaration"]


def test_refusing_one_family_is_no_failure() -> None:
    first, *others = list(outcomes(Picky))
    assert (first.place, first.state, first.reason) == ("t5", "refused", "T5 has no biases")
    assert {(outcome.place, outcome.state) for outcome in others} == {("", "passed"), ("bart", "passed")}
    assert isinstance(refusal(Picky, "t5"), ValueError)
    with pytest.raises(Broken, match="T5 has no biases"):  # as in a test that leaves `families` out
        Check(rules.identity, Picky, "t5")()
