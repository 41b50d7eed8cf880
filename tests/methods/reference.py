"""What methods are held against: a BART layer written out in plain maths, and the papers' parameter counts."""

from __future__ import annotations

import math

import torch
from tiny_backbone import FEATURES, METHODS, WIDTH
from torch.nn.functional import layer_norm, softmax

from harness.backbones import get
from harness.parameters import count

HEADS = 4


def away(model):
    """The model in float64 with everything that trains away from its starting value."""
    model.double().eval()
    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def gelu_tanh(u):
    return 0.5 * u * (1 + torch.tanh(math.sqrt(2 / math.pi) * (u + 0.044715 * u**3)))


def gelu(u):
    return 0.5 * u * (1 + torch.erf(u / math.sqrt(2)))


def affine(linear, u):
    return u @ linear.weight.T + linear.bias


def normed(norm, u):
    return layer_norm(u, (WIDTH,), norm.weight, norm.bias, 1e-5)


def attention(block, x, source, project):
    """Multi-head attention with one query-to-all softmax; no mask."""
    q, k, v = (
        project(getattr(block, f"{role}_proj"), u).unflatten(-1, (HEADS, -1)).transpose(1, 2)
        for role, u in (("q", x), ("k", source), ("v", source))
    )
    weights = softmax(q @ k.transpose(-1, -2) / math.sqrt(WIDTH // HEADS), dim=-1)
    return affine(block.out_proj, (weights @ v).transpose(1, 2).flatten(2))


def reference_layer(layer, x, source=None, after=lambda exit_, h: h, project=affine):
    """A post-norm BART layer: x = norm(x + after(f(x))) for each sub-layer; ``source`` are the encoder's states."""
    h = after(layer.self_attn.out_proj, attention(layer.self_attn, x, x, project))
    x = normed(layer.self_attn_layer_norm, x + h)
    if source is not None:
        h = after(layer.encoder_attn.out_proj, attention(layer.encoder_attn, x, source, project))
        x = normed(layer.encoder_attn_layer_norm, x + h)
    h = after(layer.fc2, affine(layer.fc2, gelu(affine(layer.fc1, x))))
    return normed(layer.final_layer_norm, x + h)


def check_layers(model, x, **formula):
    """Compare an encoder layer, and a decoder layer at its first position (where no causal mask is needed)."""
    encoder, decoder = model.lm.model.encoder.layers[1], model.lm.model.decoder.layers[1]
    with torch.no_grad():
        torch.testing.assert_close(encoder(x, None), reference_layer(encoder, x, **formula))
        first = x[:, :1]
        found = decoder(first, encoder_hidden_states=x)
        torch.testing.assert_close(found, reference_layer(decoder, first, x, **formula))


def prompt_vectors(module):
    """W₂ tanh(W₁ E + b₁) + b₂ of a soft prompt."""
    first, last = module.network[0], module.network[2]
    return affine(last, torch.tanh(affine(first, module.table.weight)))


def encoder_input(model):
    """What BART's embedding norm reads for two texts of four tokens, and the mask of the whole sequence."""
    seen = []
    hook = model.lm.get_encoder().layernorm_embedding.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    ids = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 12]])
    with torch.no_grad():
        _, mask = model.encode(ids, torch.ones_like(ids), torch.zeros(2, 1, 4, FEATURES, dtype=torch.float64))
    hook.remove()
    return seen[0], mask


def counted(name, backbone="bart-base", kind="image-text"):
    """Counts of a method with its defaults on one of the papers' backbones."""
    spec = get(backbone)
    return count(METHODS.get(name).configured(spec.family, kind, backbone), spec, kind)


LANGUAGE_MODEL = {"bart-base": 139_420_416 + 200 * 768, "t5-base": 222_903_552 + 72 * 768}  # with added token rows
SITES = {"bart-base": 6 * 2 + 6 * 3, "t5-base": 12 * 2 + 12 * 3}
BART_NORMS = (SITES["bart-base"] + 2) * 2 * 768
PROMPT = 40 * 768 + (768 + 1) * 800 + (800 + 1) * 768
FEATURE_WIDTH = {"image-text": 2048, "video-text": 512}


def visual_numbers(backbone, kind="image-text"):
    """Numbers of the visual embedding at width 768: two linears with a norm each, and two rows of image order."""
    norm = 768 * (2 if backbone == "bart-base" else 1)
    return (FEATURE_WIDTH[kind] + 1) * 768 + norm + (5 + 1) * 768 + norm + 2 * 768
