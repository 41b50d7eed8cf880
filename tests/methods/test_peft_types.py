"""Types of peft as methods: which there are, how they count, what AdaLoRA and Poly need, and types nobody has seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.resources import files

import peft
import pytest
import torch
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING
from peft.tuners.adalora.layer import AdaLoraLayer
from pydantic import ValidationError
from tiny_backbone import METHODS, TASKS, WIDTH, bare, batch, build, loss_of

from harness.backbones import get, on_meta
from harness.parameters import count
from harness.peft_probe import probe
from methods import TaskContext, peft_outcomes, peft_types
from methods.peft_catalogue import KNOWN
from methods.peft_outcomes import Outcome

UNUSABLE = {plugin.name: plugin.error for plugin in METHODS.unusable}


def test_every_type_that_peft_knows_is_a_method_or_unusable_with_a_reason():
    names = {f"peft/{kind.value.lower()}" for kind in PEFT_TYPE_TO_CONFIG_MAPPING}
    assert names <= set(METHODS.names()) | set(UNUSABLE)
    assert not set(METHODS.names()) & set(UNUSABLE)
    assert {"peft/lora", "peft/dora", "peft/rslora", "peft/pissa", "peft/olora", "peft/vera"} <= set(METHODS.names())
    assert all(len(reason) > 10 and "\n" not in reason for reason in UNUSABLE.values())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("prompt_tuning", "use prompt-single"),
        ("p_tuning", "use prompt-single"),
        ("prefix_tuning", "use prefix"),
        ("adaption_prompt", "use prefix"),
        ("lily", "later words"),
    ],
)
def test_the_reason_names_what_serves_the_purpose(name, reason):
    assert reason in UNUSABLE[f"peft/{name}"]
    if "use " in reason:
        assert reason.removeprefix("use ") in METHODS.names()


def test_the_installed_version_was_probed():
    stored = peft_outcomes.stored()[peft.__version__]
    assert set(KNOWN) == set(stored)
    assert peft_outcomes.dump(peft_outcomes.stored()) == files("methods").joinpath("peft_types.yaml").read_text("utf-8")


def test_another_version_takes_the_outcomes_that_were_stored_last(monkeypatch):
    monkeypatch.setattr(peft, "__version__", "0.99.0")
    assert peft_outcomes.installed() == list(peft_outcomes.stored().values())[-1]


def test_probing_finds_what_is_stored():
    stored = peft_outcomes.stored()[peft.__version__]
    for name in ("beft", "lily"):
        (made,) = (made for made in peft_types.CLASSES if made.name == f"peft/{name}")
        found = probe(made)
        assert found == stored[name].model_copy(update={"unusable": found.unusable})
        assert bool(found.unusable) == bool(stored[name].unusable)  # of several reasons either may be met first


def test_hyper_parameters_are_typed_and_unknown_ones_refused():
    method = METHODS.get("peft/lora")
    assert method(rank=4, targets="q k v o").rank == 4
    for wrong in ({"rnak": 4}, {"rank": 0}, {"rank": "many"}, {"dropout": 1.0}, {"targets": "q w"}, {"targets": ""}):
        with pytest.raises(ValidationError):
            method(**wrong)


def test_targets_choose_the_layers():
    model, _, _ = build("peft/lora", targets="o up")
    wrapped = {name for name, module in model.lm.named_modules() if hasattr(module, "lora_A")}
    assert {name.rpartition(".")[2] for name in wrapped} == {"out_proj", "fc1"}
    assert len(wrapped) == 2 * 2 + 2 * 3
    with pytest.raises(ValueError, match="no linear layer of the backbone has one of the roles 'gate'"):
        build("peft/lora", targets="gate")


def test_a_value_that_peft_refuses_is_a_reason_not_to_serve():
    with pytest.raises(ValueError, match="block"):
        build("peft/c3a", block_size=7)


SQUARES = {"bart-base": 18 * 2, "t5-base": 36 * 2}  # query and value projections, 768 × 768
D = 768
TRAINED = {  # numbers of one wrapped projection
    "lora": 2 * D * 128,
    "dora": 2 * D * 128 + D,
    "pissa": 2 * D * 128,
    "adalora": (2 * D + 1) * 120,
    "boft": D * 32 + D,
    "oft": D // 32 * (32 * 31 // 2),
    "c3a": D * D // 32,
    "fourierft": 1000,
    "frod": D + int(0.01 * D * D),
    "hra": 32 * D,
    "loha": 4 * D * 64,
    "lokr": 4 * 4 + 2 * (D // 4) * 64,
    "miss": D * 256,
    "osf": (D - int(0.875 * D)) * (2 * D + 1),
    "poly": 4 * (2 * D * 32 + 4),
    "randlora": 24 * 32 + 24 * D,
    "road": D,
    "shira": 2 * D * 128,
    "supertuning": int(0.1 * D * D),
    "vera": D + 256,
    "waveft": 2592,
}
WHOLE = {  # of a whole backbone
    ("bart-base", "ia3"): 18 * 2 * D + 12 * 3072,
    ("t5-base", "ia3"): 36 * 2 * D + 24 * 3072,
    ("bart-base", "ln_tuning"): 32 * 2 * D,
    ("t5-base", "ln_tuning"): 62 * D,
    ("bart-base", "beft"): 18 * D,
    ("bart-base", "unilora"): 23040,
    ("bart-base", "vblora"): 256 * 256 + 36 * 4 * 2 * 3 * 256,
    ("t5-base", "trainable_tokens"): 1000 * D,
}


def counted(name, backbone, **how):
    spec = get(backbone)
    return count(METHODS.get(f"peft/{name}").configured(spec.family, "image-text", backbone), spec, "image-text", **how)


@pytest.mark.parametrize(
    ("backbone", "name", "expected"),
    [
        pytest.param(backbone, name, number, marks=[pytest.mark.slow] * (not KNOWN[name].usual))
        for backbone, name, number in (
            *((backbone, name, number * SQUARES[backbone]) for backbone in SQUARES for name, number in TRAINED.items()),
            *((*place, number) for place, number in WHOLE.items()),
        )
    ],
)
def test_trained_numbers_follow_from_the_sizes(backbone, name, expected):
    counts = counted(name, backbone)
    assert counts.trained - counts.visual_embedding == expected
    backbone_numbers = counts.language_model + counts.token_rows + counts.visual_embedding
    assert counts.total - counts.frozen_extra - expected == backbone_numbers
    assert counts.stored >= counts.trained
    if METHODS.get(f"peft/{name}").mergeable:
        assert counts.added_at_inference == 0
    else:
        assert counts.added_at_inference == expected


@pytest.mark.parametrize(
    "name", ["boft", *(pytest.param(n, marks=pytest.mark.slow) for n in ("frod", "shira", "unilora"))]
)
def test_stored_counts_are_those_of_the_attached_method(name):
    assert METHODS.get(f"peft/{name}").outcome.needs_numbers
    assert counted(name, "bart-base") == counted(name, "bart-base", loaded=on_meta(get("bart-base"), "image-text"))


def test_stored_counts_hold_for_their_sizes_alone():
    method = METHODS.get("peft/boft")
    assert method(learning_rate=0.5).counted("bart-base") is not None
    assert method(block_size=4).counted("bart-base") is None
    assert method().counted("mini-bart") is None


def test_shared_projections_are_counted_and_stored_once():
    counts = counted("vera", "bart-base")
    assert counts.frozen_extra == 2 * D * 256
    assert counts.stored == counts.trained + 2 * D * 256 + 36 * D


def adalora(**overrides):
    model, context, method = build("peft/adalora", rank=2, initial_rank=6, interval=1, **overrides)
    return model, context, method, [layer for layer in model.lm.modules() if isinstance(layer, AdaLoraLayer)]


def train_adalora(model, context, method, layers, steps):
    """Take steps as the trainer does; return how many directions are left after each."""
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.5)
    left = []
    for step in range(1, steps + 1):
        optimiser.zero_grad()
        with context.on(TASKS[0]):
            loss_of(model).backward()
        optimiser.step()
        method.after_step(model, step, steps)
        left.append(sum(int((layer.lora_E["default"] != 0).sum()) for layer in layers))
    return left


def test_adalora_keeps_the_most_important_directions_of_all_layers():
    model, context, method, layers = adalora(warm_up=0.2, settle=0.3)
    left = train_adalora(model, context, method, layers, 20)
    every = 6 * len(layers)
    # After the warm-up the budget falls as the cube of what is left of the time, and reaches 2 per layer at the end.
    budgets = [
        every if n <= 4 else max(2 * len(layers), int(4 * len(layers) * (1 - (n - 4) / 10) ** 3 + 2 * len(layers)))
        for n in range(1, 15)
    ]
    assert left == budgets + [2 * len(layers)] * 6
    assert len({int((layer.lora_E["default"] != 0).sum()) for layer in layers}) > 1


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_adalora_survives_the_shortest_training(steps):
    model, context, method, layers = adalora()
    assert len(train_adalora(model, context, method, layers, steps)) == steps


def test_adalora_asks_for_orthonormal_directions():
    model, _, method, layers = adalora(orthogonality=0.25)
    lengths = []
    for layer in layers:
        for rows in (layer.lora_A["default"], layer.lora_B["default"].T):
            lengths.append(math.sqrt(sum((rows @ rows.T - torch.eye(6)).flatten().tolist()[i] ** 2 for i in range(36))))
    assert method.regulariser(model).item() == pytest.approx(0.25 * sum(lengths) / len(lengths), rel=1e-5)
    for layer in layers:
        torch.nn.init.orthogonal_(layer.lora_A["default"].data)
        torch.nn.init.orthogonal_(layer.lora_B["default"].data)
    assert method.regulariser(model).item() < 1e-5


def test_adalora_refuses_a_rank_that_does_not_fall():
    with pytest.raises(ValueError, match=r"initial_rank \(6\) must be greater than rank \(6\)"):
        build("peft/adalora", rank=6, initial_rank=6)


def test_poly_mixes_its_skills_by_the_task():
    model, context, _ = build("peft/poly")
    model.eval()
    torch.manual_seed(2)
    with torch.no_grad():
        for name, parameter in model.lm.named_parameters():
            if "poly_lora_B" in name:
                parameter.normal_()

    def logits():
        found = []
        for task in TASKS:
            with context.on(task), torch.no_grad():
                found.append(model(**batch()))
        return found

    before = logits()
    for name, parameter in model.lm.named_parameters():
        if name.endswith("module_logits"):
            assert parameter.shape == (len(TASKS), 4)
            parameter.data[1, 0] += 2
    after = logits()
    assert torch.equal(before[0], after[0])
    assert not torch.allclose(before[1], after[1], atol=1e-3)


def test_trainable_tokens_reach_embeddings_and_the_tied_head():
    for family in ("bart", "t5"):
        model, _, _ = build("peft/trainable_tokens", family=family)
        (trained,) = (p for p in model.lm.parameters() if p.requires_grad)
        assert trained.shape == (99 // 2, WIDTH)
        ids, states = torch.tensor([[5, 90]]), torch.randn(1, 2, WIDTH)

        def seen(model=model, ids=ids, states=states):
            with torch.no_grad():
                stacks = (model.lm.get_encoder(), model.lm.get_decoder())
                return torch.cat([s.embed_tokens(ids) for s in stacks]), model.lm.lm_head(states)

        (words, head), _ = seen(), trained.data.add_(1)
        new_words, new_head = seen()
        assert (new_words != words).any(-1).tolist() == [[True, False]] * 2
        assert (new_head != head).any(1)[0].tolist() == [True] * 49 + [False] * 50


@dataclass
class NewConfig(peft.LoraConfig):
    """A type that a newer peft might bring."""


def made_of(name, monkeypatch, tuner):
    """The class for a type of which neither catalogue nor outcomes know anything."""
    kind = peft.PeftType.LORA
    monkeypatch.setitem(PEFT_TYPE_TO_CONFIG_MAPPING, kind, NewConfig)
    monkeypatch.setitem(PEFT_TYPE_TO_TUNER_MAPPING, kind, tuner)
    return peft_types._class(name, kind, peft_types._guess(kind), None)


def test_a_type_that_was_never_probed_is_tried(monkeypatch):
    made = made_of("brand_new", monkeypatch, PEFT_TYPE_TO_TUNER_MAPPING[peft.PeftType.LORA])
    assert (made.name, made.unusable, made.mergeable, made.usual) == ("peft/brand_new", "", False, False)
    model = bare()
    made(rank=3).attach(model, TaskContext(TASKS))
    assert {p.shape[0] for n, p in model.lm.named_parameters() if "lora_A" in n} == {3}
    spec = get("mini-bart")
    assert count(made(rank=3), spec, "image-text").added_at_inference == 18 * 2 * 128 * 3
    found = probe(made)
    assert found == Outcome(identity_at_start=True, mergeable=True, needs_numbers=False)


def test_a_type_that_cannot_be_built_says_so_in_one_line(monkeypatch):
    def broken(*_args, **_options):
        raise RuntimeError("no\n  such layer")

    made = made_of("brand_new", monkeypatch, broken)
    with pytest.raises(ValueError, match=rf"^peft {peft.__version__} cannot build it \(no such layer\)$"):
        made().attach(bare(), TaskContext(TASKS))
    assert probe(made).unusable.startswith("on bart: ")


def test_a_type_that_trains_nothing_is_refused(monkeypatch):
    made = made_of("brand_new", monkeypatch, lambda *_args, **_options: None)
    with pytest.raises(ValueError, match="nothing of it trains"):
        made().attach(bare(), TaskContext(TASKS))
