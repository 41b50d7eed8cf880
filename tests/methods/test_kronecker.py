"""The Kronecker layer against torch's own Kronecker product, in float64."""

from __future__ import annotations

import math

import pytest
import torch

from methods.kronecker import KroneckerLinear, Rules


def reference(layer, x, n):
    """Σᵢ Rᵢ ⊗ Wᵢ written with torch.kron, applied from the right."""
    rules = layer.rules()
    first, *second = layer.factors
    slices = [first[i] @ second[0][i] if second else first[i] for i in range(n)]
    return x @ sum(torch.kron(rules[i], slices[i]) for i in range(n)) + layer.shift


def away(layer):
    torch.manual_seed(3)
    layer.double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn_like(parameter))
    return layer


@pytest.mark.parametrize("rank", [None, 1, 2])
@pytest.mark.parametrize("n", [1, 2, 4])
def test_is_a_sum_of_kronecker_products(n, rank):
    layer = away(KroneckerLinear(12, 8, n, rank))
    x = torch.randn(2, 3, 12, dtype=torch.float64)
    torch.testing.assert_close(layer(x), reference(layer, x, n))


def test_a_fused_optimiser_and_a_restored_copy_are_seen_without_gradients():
    layer = away(KroneckerLinear(12, 8, 2))
    x = torch.randn(3, 12, dtype=torch.float64)
    optimiser = torch.optim.AdamW(layer.parameters(), 0.1, fused=True)  # counts no version of what it changes
    with torch.no_grad():
        before = layer(x)
    layer(x).sum().backward()
    optimiser.step()
    with torch.no_grad():
        changed = layer(x)
        assert not torch.allclose(changed, before)
        torch.testing.assert_close(changed, reference(layer, x, 2))
        layer.factors[0].data.copy_(torch.zeros_like(layer.factors[0]))
        torch.testing.assert_close(layer(x), layer.shift.expand(3, -1))


def test_shared_rules_are_one_tensor():
    rules = Rules(2)
    one, other = KroneckerLinear(4, 6, 2, rules=rules), KroneckerLinear(6, 4, 2, rules=rules)
    (one(torch.ones(4)).sum() + other(torch.ones(6)).sum()).backward()
    assert one.rules() is other.rules() and rules.matrices.grad.any()


def test_starting_values():
    layer = KroneckerLinear(600, 400, 2)
    bound = math.sqrt(2) * math.sqrt(6 / 500)
    assert 0.99 * bound < layer.factors[0].abs().max().item() <= bound
    assert layer.factors[0].std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)
    assert Rules(12).matrices.std().item() == pytest.approx(0.01, rel=0.1)
    assert not layer.shift.any()


def test_sizes_that_cannot_be_divided_are_refused():
    with pytest.raises(ValueError, match=r"divisions \(5\) must divide 12 and 8"):
        KroneckerLinear(12, 8, 5)
