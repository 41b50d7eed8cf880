"""peft's layers against the formulas that the methods state, written out independently in float64."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from tiny_backbone import TASKS, WIDTH, build
from torch.nn.functional import softmax

eye, zeros = partial(torch.eye, dtype=torch.float64), partial(torch.zeros, dtype=torch.float64)
SIZES = {"lokr": {"rank": 4}}  # the sizes of a backbone of width 128, but for what would give another formula here
X = torch.randn(2, 3, WIDTH, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class Wrapped:
    """What one wrapped layer holds, by peft's names without the type's prefix, as dense float64 matrices."""

    def __init__(self, layer, method):
        self.layer, self.method = layer, method
        self.w, self.b = layer.get_base_layer().weight, layer.get_base_layer().bias

    def __getattr__(self, name):
        held = getattr(self.layer, name)["default"]
        return getattr(held, "weight", held)


def lora(p, x, scale):
    return x @ (p.w + scale * p.lora_B @ p.lora_A).T + p.b


def dora(p, x):
    v = p.w + p.method.alpha / p.method.rank * p.lora_B @ p.lora_A
    return p.lora_magnitude_vector * (x @ v.T) / v.norm(dim=1) + p.b


def blocks(parts):
    return torch.block_diag(*parts)


def cayley(part):
    skew = (part - part.T) / 2
    return (eye(len(skew)) - skew) @ torch.linalg.inv(eye(len(skew)) + skew)


def cayley_series(numbers, size):
    upper = zeros(size, size)
    upper[tuple(torch.triu_indices(size, size, 1))] = numbers
    q = upper - upper.T
    return eye(size) + 2 * q + 2 * q @ q + 2 * q @ q @ q + q @ q @ q @ q


def circulant(kernel):
    return torch.stack([kernel.roll(shift) for shift in range(len(kernel))])


def c3a(p, x):
    c = torch.cat([torch.cat([circulant(part) for part in row], dim=1) for row in p.c3a_kernel])
    return x @ (p.w + c / WIDTH).T + p.b


def deft(p, x):
    change = p.deft_P @ p.deft_R - p.deft_P @ p.deft_P.relu().T @ p.w
    return x @ (p.w + change).T + p.b


def delora(p, x):
    xi = torch.diag(1 / (p.delora_A.norm(dim=1) * p.delora_B.norm(dim=0)))
    change = p.delora_lambda / p.method.rank * p.delora_B @ xi @ p.delora_A
    return x @ p.w.T + (x * p.delora_w_norm) @ change.T + p.b


def fourierft(p, x):
    places = p.layer.indices["default"]
    spectrum = zeros(WIDTH, WIDTH)
    spectrum[tuple(places)] = p.fourierft_spectrum
    change = p.method.scale * torch.fft.ifft2(spectrum).real
    return x @ (p.w + change).T + p.b


def frod(p, x):
    middle = zeros(WIDTH, WIDTH)
    middle[tuple(p.frod_s_indices)] = p.frod_lambda_s_values
    return x @ (p.frod_U @ (torch.diag(p.frod_lambda_l) + middle) @ p.frod_V.double().T).T + p.b


def glora(p, x):
    a, b, c = (part.Xd @ part.Xu for part in (p.glora_A, p.glora_B, p.glora_C))
    return x @ (p.w + p.w * a + b).T + p.b + p.b * p.glora_D.X + p.glora_E.X + p.w @ c.flatten()


def hra(p, x):
    product = eye(WIDTH)
    for u in p.hra_u.T:
        product = product @ (eye(WIDTH) - 2 * torch.outer(u, u) / (u @ u))
    return x @ (p.w @ product).T + p.b


def ia3(p, x):
    return p.ia3_l.flatten() * (x @ p.w.T + p.b)


def loha(p, x):
    change = (p.hada_w1_a @ p.hada_w1_b) * (p.hada_w2_a @ p.hada_w2_b)
    return x @ (p.w + p.method.alpha / p.method.rank * change).T + p.b


def lokr(p, x):
    assert p.lokr_w1.shape == (p.method.factor, p.method.factor)
    change = torch.kron(p.lokr_w1, p.lokr_w2_a @ p.lokr_w2_b)
    return x @ (p.w + p.method.alpha / p.method.rank * change).T + p.b


def miss(p, x):
    pieces = x.unflatten(-1, (-1, p.method.rank)).sum(-2)
    return x @ p.w.T + p.b + pieces @ p.miss_block


def osf(p, x):
    parts = p.layer.osf_svd_params["default"]
    u, s, v = torch.linalg.svd(p.w)
    kept = int(p.method.kept * WIDTH)
    larger = u[:, :kept] * s[:kept] @ v[:kept]
    return x @ (larger + parts["U_low"] * parts["S_low"] @ parts["V_low"]).T + p.b


def peanut(p, x):
    return x @ p.w.T + p.b + x @ ((p.w.T @ p.peanut_A.T).relu() @ p.peanut_B.T)


def poly(p, x):
    numbers = p.layer.poly_router["default"].module_logits[0]
    share = numbers.sigmoid() / numbers.sigmoid().sum()
    a, b = (torch.einsum("s,sij->ij", share, parts[0]) for parts in (p.poly_lora_A, p.poly_lora_B))
    return x @ p.w.T + p.b + x @ a @ b / p.method.rank


def pvera(p, x):
    a, b = p.pvera_A, p.pvera_B
    mean, _ = (p.pvera_lambda_d * (x @ a.T)).chunk(2, dim=-1)
    return x @ p.w.T + p.b + p.pvera_lambda_b * (mean @ b.T)


def road(p, x):
    half = p.method.group_size // 2
    y = (x @ p.w.T + p.b).unflatten(-1, (-1, 2, half))
    theta, scale = (values.unflatten(0, (-1, half)) for values in (p.road_theta, p.road_alpha))
    first, second = y[..., 0, :], y[..., 1, :]
    turned = (first * theta.cos() - second * theta.sin(), first * theta.sin() + second * theta.cos())
    return torch.stack([scale * part for part in turned], dim=-2).flatten(-3)


def shira(p, x):
    places = p.layer.shira_indices["default"]
    change = zeros(WIDTH, WIDTH)
    change[tuple(places)] = p.shira_weight
    assert len(p.shira_weight) == 2 * p.method.rank * WIDTH
    return x @ (p.w + change).T + p.b


def vblora(p, x):
    def composed(logits):
        best, index = logits.topk(2)
        return (softmax(best, dim=-1)[..., None] * p.vblora_vector_bank[index]).sum(-2)

    a = composed(p.vblora_logits_A).flatten(1)
    b = composed(p.vblora_logits_B).transpose(1, 2).flatten(0, 1)
    return x @ (p.w + b @ a).T + p.b


def vera(p, x):
    return x @ p.w.T + p.b + p.vera_lambda_b * ((p.vera_lambda_d * (x @ p.vera_A.T)) @ p.vera_B.T)


FORMULAS = {
    "lora": lambda p, x: lora(p, x, p.method.alpha / p.method.rank),
    "rslora": lambda p, x: lora(p, x, p.method.alpha / p.method.rank**0.5),
    "pissa": lambda p, x: lora(p, x, 1),
    "olora": lambda p, x: lora(p, x, 1),
    "dora": dora,
    "adalora": lambda p, x: lora(
        SimpleNamespace(w=p.w, b=p.b, lora_A=p.lora_E * p.lora_A, lora_B=p.lora_B),
        x,
        p.method.alpha / (p.method.initial_rank + 1e-5),
    ),
    "beft": lambda p, x: x @ p.w.T + p.b + p.beft_bias,
    "boft": lambda p, x: p.boft_s.flatten() * (x @ (p.w @ blocks(map(cayley, p.boft_R[0])).T).T) + p.b,
    "c3a": c3a,
    "deft": deft,
    "delora": delora,
    "fourierft": fourierft,
    "frod": frod,
    "glora": glora,
    "hira": lambda p, x: x @ (p.w + p.w * (p.hira_B @ p.hira_A)).T + p.b,
    "hra": hra,
    "ia3": ia3,
    "loha": loha,
    "lokr": lokr,
    "miss": miss,
    "oft": lambda p, x: x @ blocks([cayley_series(n, p.method.block_size) for n in p.oft_R]) @ p.w.T + p.b,
    "osf": osf,
    "peanut": peanut,
    "poly": poly,
    "pvera": pvera,
    "road": road,
    "shira": shira,
    "vblora": vblora,
    "vera": vera,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_wrapped_layer_computes_the_formula(name):
    model, context, method = build(f"peft/{name}", **SIZES.get(name, {}))
    model.double().eval()
    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in model.lm.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    layers = {n: m for n, m in model.lm.named_modules() if isinstance(m, BaseTunerLayer)}
    layer = layers["model.decoder.layers.1.encoder_attn.v_proj"]
    with torch.no_grad(), context.on(TASKS[0]):
        found, plain = layer(X), layer.get_base_layer()(X)
        assert not torch.allclose(found, plain)
        torch.testing.assert_close(found, FORMULAS[name](Wrapped(layer, method), X), rtol=1e-5, atol=1e-5)
