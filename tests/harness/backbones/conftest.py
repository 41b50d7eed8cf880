from __future__ import annotations

import pytest
import torch


@pytest.fixture
def inputs(request):
    """Three texts, the first padded, about two images each, in the sizes that the test's module names."""
    random, padding = torch.Generator().manual_seed(2), request.module.PAD
    ids = torch.randint(4, request.module.VOCABULARY, (3, 7), generator=random)
    ids[0, 4:] = padding
    features = torch.randn(3, 2, 5, request.module.FEATURES, generator=random, dtype=torch.float64)
    return {"ids": ids, "mask": (ids != padding).long(), "features": features}
