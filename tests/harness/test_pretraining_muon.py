"""Muon in float32 takes the steps of torch's, which computes in bfloat16."""

import torch
from torch import nn

from harness.pretraining.muon import Muon, orthogonal


def test_singular_values_become_about_one() -> None:
    torch.manual_seed(0)
    for shape in ((3, 8, 20), (2, 20, 8)):
        matrices = torch.randn(shape)
        values = torch.linalg.svdvals(orthogonal(matrices))
        assert values.min() > 0.6 and values.max() < 1.3
        # The singular vectors stay: the result maps each of them as the orthogonal factor of the matrix does.
        own_left, _, own_right = torch.linalg.svd(matrices, full_matrices=False)
        inner = own_left.mT @ orthogonal(matrices) @ own_right.mT
        torch.testing.assert_close(inner, torch.diag_embed(inner.diagonal(dim1=1, dim2=2)), atol=1e-4, rtol=0)


def test_steps_are_those_of_torch() -> None:
    torch.manual_seed(1)
    ours, theirs = (
        nn.Sequential(nn.Linear(16, 32), nn.Linear(32, 16)),
        nn.Sequential(nn.Linear(16, 32), nn.Linear(32, 16)),
    )
    theirs.load_state_dict(ours.state_dict())
    start = {name: value.clone() for name, value in ours.state_dict().items()}
    matrices = [[part.weight for part in model] for model in (ours, theirs)]
    optimisers = [
        Muon(matrices[0], 0.01, 0.1),
        torch.optim.Muon(matrices[1], lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
    ]
    for _ in range(5):
        x = torch.randn(8, 16)
        for model, optimiser in zip((ours, theirs), optimisers, strict=True):
            model.zero_grad()
            (model(x) - x).square().mean().backward()
            optimiser.step()
    for name in ("0.weight", "1.weight"):
        moved = ours.state_dict()[name] - start[name]
        difference = (ours.state_dict()[name] - theirs.state_dict()[name]).norm() / moved.norm()
        assert difference < 0.05  # bfloat16 has three digits
