"""What every method must keep, whoever wrote it: parametrised over everything that discovery finds."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_backbone import CONFIGS, METHODS, TASKS, bare, batch, build, learn, loss_of

from harness.parameters import stored_tensors

REFUSED = {("t5", "bitfit")}  # methods that cannot serve a family, and say so
SLOW = [name for name in METHODS.names() if not METHODS.get(name).usual]
PAIRS = [(family, name) for family in CONFIGS for name in METHODS.names()]
every = pytest.mark.parametrize(
    ("family", "name"),
    [pytest.param(*pair, marks=[pytest.mark.slow] * (pair[1] in SLOW)) for pair in PAIRS if pair not in REFUSED],
)

# Boxes are zero, so their weight gets no gradient; a bias on all keys alike is invisible to the softmax.
WITHOUT_GRADIENT = ("visual.box.0.weight", "k_proj.bias")


def outputs(model, context):
    """Logits for every task, without dropout."""
    model.eval()
    found = []
    for task in TASKS:
        with context.on(task), torch.no_grad():
            found.append(model(**batch()))
    return torch.stack(found)


def test_discovery_finds_the_methods_and_no_broken_file():
    assert len(METHODS.names()) >= 7
    assert not METHODS.broken
    assert all(METHODS.get(name) for name in METHODS.names())
    assert all(name.startswith("peft/") for name in SLOW)


@pytest.mark.parametrize("name", METHODS.names())
def test_is_documented(name):
    method = METHODS.get(name)
    assert method.title and method.__doc__ and method.attach.__doc__
    fields = method.model_fields.items()
    assert all(field.description for field_name, field in fields), "Field(description=...) is missing"


@pytest.mark.parametrize(("family", "name"), sorted(REFUSED))
def test_a_method_that_cannot_serve_a_family_says_so(family, name):
    with pytest.raises(ValueError, match=f"(?i){family} has no"):
        build(name, family=family)


@every
def test_every_trained_parameter_gets_a_gradient(family, name):
    model, context, _ = build(name, family=family)
    learn(model, context, steps=1)  # leaves zero initialisations behind
    model.zero_grad()
    for task in TASKS:
        with context.on(task):
            loss_of(model).backward()
    dead = [
        parameter_name
        for parameter_name, parameter in model.named_parameters()
        if parameter.requires_grad
        and not parameter_name.endswith(WITHOUT_GRADIENT)
        and (parameter.grad is None or not parameter.grad.any())
    ]
    assert not dead


@every
def test_visual_embedding_trains(family, name):
    model, _, _ = build(name, family=family)
    assert all(parameter.requires_grad for parameter in model.visual.parameters())


@every
def test_training_changes_nothing_that_is_frozen_and_all_that_trains(family, name):
    model, context, _ = build(name, family=family)
    before = {key: tensor.clone() for key, tensor in model.state_dict(keep_vars=True).items()}
    learn(model, context)
    trained = {key for key, parameter in model.named_parameters(remove_duplicate=False) if parameter.requires_grad}
    changed = {key for key, tensor in model.state_dict().items() if not torch.equal(tensor, before[key])}
    assert changed <= trained
    assert not {key for key in trained - changed if not key.endswith(WITHOUT_GRADIENT)}


@every
def test_stored_tensors_alone_restore_the_model(family, name, tmp_path):
    model, context, _ = build(name, family=family)
    learn(model, context)
    save_file(
        {key: tensor.contiguous() for key, tensor in stored_tensors(model, 5).items()}, tmp_path / "w.safetensors"
    )
    twin, twin_context, _ = build(name, seed=9, family=family)
    places = stored_tensors(twin, 5)
    for key, tensor in load_file(tmp_path / "w.safetensors").items():
        places[key].copy_(tensor)
    assert torch.equal(outputs(model, context), outputs(twin, twin_context))


@every
def test_identity_at_start_is_as_declared(family, name):
    model, context, method = build(name, family=family)
    plain = bare(family).eval()
    same = torch.allclose(outputs(model, context)[0], plain(**batch()), atol=1e-5)
    assert same is method.identity_at_start


@every
def test_a_merged_model_is_the_backbone_and_computes_the_same(family, name):
    model, context, method = build(name, family=family)
    learn(model, context)
    unmerged = outputs(model, context)
    method.merge(model)
    torch.testing.assert_close(outputs(model, context), unmerged, atol=1e-4, rtol=1e-4)
    nothing_left = {n for n, _ in model.named_parameters()} == {n for n, _ in bare(family).named_parameters()}
    assert nothing_left is method.mergeable


@every
def test_beam_search_is_the_same_with_and_without_cache(family, name):
    model, context, _ = build(name, family=family)
    learn(model, context)
    inputs = batch()
    inputs.pop("labels")
    with context.on(TASKS[1]), torch.no_grad():
        cached = model.generate(**inputs, beams=3, max_length=8)
        states, mask = model.encode(**inputs)
        plain = model.lm.generate(
            encoder_outputs=states,
            attention_mask=mask,
            num_beams=3,
            max_length=8,
            do_sample=False,
            use_cache=False,
            **model.generation,
        )
    assert torch.equal(cached, plain)
    assert cached.shape[1] > 2


@every
def test_checkpointing_changes_nothing(family, name):
    gradients, runs = [], []
    for checkpointing in (False, True):
        model, context, _ = build(name, family=family)
        if checkpointing:
            model.lm.activation_checkpointing_enable()
            model.lm.disable_input_require_grads()
        runs.append(0)
        model.sites[1].linears["up"].register_forward_hook(lambda *_: runs.append(runs.pop() + 1))
        model.train()
        torch.manual_seed(5)  # the same dropout inside methods
        with context.on(TASKS[0]):
            loss_of(model).backward()
        gradients.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    assert runs == [1, 2]
    assert gradients[0].keys() == gradients[1].keys()
    for parameter_name, gradient in gradients[0].items():
        scale = max(1, gradient.abs().max().item())
        torch.testing.assert_close(gradients[1][parameter_name], gradient, rtol=1.3e-6, atol=1e-5 * scale)


@every
def test_a_step_in_bfloat16_runs(family, name):
    model, context, _ = build(name, family=family)
    model.train()
    with context.on(TASKS[0]):
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(model)
        loss.backward()
    assert torch.isfinite(loss)
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
