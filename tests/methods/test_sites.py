"""The table of sub-layers and the verbs."""

from __future__ import annotations

import pytest
import torch
from tiny_backbone import CONFIGS, WIDTH, bare, batch
from torch import nn

from methods import after, around, detach, norms, prompt, share, unfreeze, unfreeze_norms


class Recorder(nn.Module):
    """Keeps what it was given and returns a constant."""

    def __init__(self, value):
        super().__init__()
        self.value, self.seen = value, []

    def forward(self, x, y):
        self.seen.append((x, y))
        return torch.full_like(y, self.value)


@pytest.fixture
def model():
    return bare().eval()


def run(model):
    inputs = batch()
    inputs.pop("labels")
    return model.encode(**inputs)[0].last_hidden_state


@pytest.mark.parametrize("family", CONFIGS)
def test_every_residual_sublayer_is_listed_once(family):
    model = bare(family)
    places = [(site.stack, site.layer, site.kind) for site in model.sites]
    encoder = [("encoder", i, kind) for i in range(2) for kind in ("self_attn", "ffn")]
    decoder = [("decoder", i, kind) for i in range(2) for kind in ("self_attn", "cross_attn", "ffn")]
    assert places == encoder + decoder
    assert {site.width for site in model.sites} == {WIDTH}
    assert {site.heads for site in model.sites if site.attention is not None} == {4}


def test_after_sees_input_and_output_of_the_linear_and_replaces_the_output(model):
    linear = model.sites[0].linears["v"]
    recorder = Recorder(0.5)
    after(linear, recorder)
    x = torch.randn(2, 3, WIDTH)
    assert (linear(x) == 0.5).all()
    (seen_x, seen_y), plain = recorder.seen[0], x @ linear.weight.T + linear.bias
    assert seen_x is x
    torch.testing.assert_close(seen_y, plain)


def test_around_sees_the_residual_stream_and_the_sublayers_output(model):
    layer, site = model.lm.model.encoder.layers[0], model.sites[1]
    assert site.kind == "ffn"
    inputs = []
    layer.fc1.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    recorder = Recorder(0.0)
    around(site, recorder)
    x = torch.randn(2, 3, WIDTH)
    out = layer(x, None)
    seen_x, seen_y = recorder.seen[0]
    assert seen_x is inputs[0]
    hidden = layer.activation_fn(layer.fc1(seen_x))
    torch.testing.assert_close(seen_y, nn.functional.linear(hidden, layer.fc2.weight, layer.fc2.bias))
    torch.testing.assert_close(out, layer.final_layer_norm(seen_x))  # f(x) was replaced by zero


def test_around_sees_t5s_residual_stream_before_its_norm():
    model = bare("t5").eval()
    layer, site = model.lm.encoder.block[0].layer[1], model.sites[1]
    recorder = Recorder(0.25)
    around(site, recorder)
    x = torch.randn(2, 3, WIDTH)
    out = layer(x)
    seen_x, seen_y = recorder.seen[0]
    assert seen_x is x
    inner = site.linears["up"](layer.layer_norm(x)).relu()
    torch.testing.assert_close(seen_y, nn.functional.linear(inner, site.linears["down"].weight))
    torch.testing.assert_close(out, x + 0.25)


def test_a_broken_off_pass_leaves_nothing_behind(model):
    def fail(*_):
        raise RuntimeError("stop")

    around(model.sites[0], recorder := Recorder(0.1))
    fails = model.sites[0].linears["k"].register_forward_hook(fail)  # after the entry, before the exit
    with pytest.raises(RuntimeError, match="stop"):
        run(model)
    fails.remove()
    run(model)
    assert len(recorder.seen) == 1 and recorder.seen[0][0].shape == recorder.seen[0][1].shape


def test_attached_modules_are_children_of_what_they_follow(model):
    around(model.sites[0], nn.Bilinear(1, 1, 1))
    assert "model.encoder.layers.0.self_attn.out_proj.pet.weight" in dict(model.lm.named_parameters())


def test_attached_modules_are_found_by_name_in_t5():
    model = bare("t5")
    around(model.sites[-1], nn.Bilinear(1, 1, 1))
    assert "decoder.block.1.layer.2.DenseReluDense.wo.pet.weight" in dict(model.lm.named_parameters())


@pytest.mark.parametrize("second", [after, around])
def test_two_methods_at_one_place_are_refused(model, second):
    site = model.sites[3]
    around(site, Recorder(0.0))
    with pytest.raises(ValueError, match="two methods at one place"):
        second(site if second is around else site.exit, Recorder(0.0))


def test_a_detached_module_acts_no_more_and_its_place_is_free(model):
    linear = model.sites[0].linears["v"]
    x = torch.randn(2, 3, WIDTH)
    plain = linear(x)
    after(linear, recorder := Recorder(0.5))
    assert detach(linear) is recorder
    assert torch.equal(linear(x), plain) and not recorder.seen
    after(linear, Recorder(0.25))
    assert (linear(x) == 0.25).all()


def test_a_shared_module_belongs_to_the_language_model_alone(model):
    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.number = nn.Parameter(torch.zeros(()))

        def forward(self):
            return self.number + 1

    run = share(model, counter := Counter())
    assert model.lm.pet is counter and run() == 1
    with torch.no_grad():
        counter.number += 1
    assert run() == 2
    with pytest.raises(ValueError, match="two methods at one place"):
        share(model, Counter())


def test_prompts_add_up_in_order(model):
    class Constant(nn.Module):
        def __init__(self, length, value):
            super().__init__()
            self.length, self.value = length, value

        def forward(self):
            return torch.full((self.length, WIDTH), self.value)

    seen = []
    model.lm.get_encoder().layernorm_embedding.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    plain = run(model)
    prompt(model, Constant(2, 1.0))
    prompt(model, Constant(1, 2.0))
    assert run(model).shape[1] == plain.shape[1] + 3
    assert seen[1][0, :3, 0].tolist() == [1.0, 1.0, 2.0]


def test_unfreeze_counts_and_refuses_what_matches_nothing(model):
    numbers = unfreeze(model, r"decoder\.layers\.1\.fc2\.bias")
    assert numbers == WIDTH
    assert [n for n, p in model.lm.named_parameters() if p.requires_grad] == ["model.decoder.layers.1.fc2.bias"]
    with pytest.raises(ValueError, match="no parameter name of the backbone matches 'no_such'"):
        unfreeze(model, "no_such")


def test_unfreeze_norms_reaches_all_of_them(model):
    unfreeze_norms(model)
    assert len(norms(model)) == 12
    assert sum(p.numel() for p in model.lm.parameters() if p.requires_grad) == 12 * 2 * WIDTH
    t5 = bare("t5")
    unfreeze_norms(t5)
    assert sum(p.numel() for p in t5.lm.parameters() if p.requires_grad) == 12 * WIDTH  # no biases


@pytest.mark.parametrize(("family", "last"), [("bart", "layernorm_embedding"), ("t5", "final_layer_norm")])
def test_unfreeze_norms_can_keep_to_one_stack(family, last):
    model = bare(family)
    unfreeze_norms(model, "encoder")
    trained = {n.rpartition(".")[0] for n, p in model.lm.named_parameters() if p.requires_grad}
    assert len(trained) == len(norms(model, "encoder")) == 2 * 2 + 1
    assert all("encoder." in name and "norm" in name for name in trained)
    assert any(name.endswith(last) for name in trained)
    assert len(norms(model, "decoder")) == 2 * 3 + 1
