"""Keys and values before those of attention: the network that makes them, and what a site holds of them."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from methods.sites import Site


def head_width(site: Site) -> int:
    """Size of a key of one head; in T5 it is not always the width over the heads."""
    return site.linears["k"].out_features // site.heads


class SharedPrefix(nn.Module):
    """() -> keys and values of one site, out of what was made for all; owns no parameter."""

    def __init__(self, read: Callable[[], Tensor]) -> None:
        super().__init__()
        self.read = read

    def forward(self) -> tuple[Tensor, Tensor]:
        """Keys and values, each (batch or 1, heads, length, head width)."""
        keys, values = self.read()
        return keys, values


class PrefixNetwork(nn.Module):
    """() -> P of shape (sites, 2, 1, heads, length, head width): all prefixes of the sites of one kind.

    Row j, before it is cut into sites, keys and values, and heads, is W₂ tanh(W₁ E_j + b₁) + b₂ with E a
    (length, width) table; dropout on the result.
    """

    def __init__(self, sites: list[Site], width: int, length: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.shape = (length, len(sites), 2, 1, sites[0].heads, head_width(sites[0]))
        outputs = sum(2 * site.heads * head_width(site) for site in sites)
        self.table = nn.Embedding(length, width)
        self.network = nn.Sequential(nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, outputs))
        self.dropout = nn.Dropout(dropout)

    def forward(self) -> Tensor:
        """All prefixes; the length comes last but one."""
        return self.dropout(self.network(self.table.weight)).view(self.shape).movedim(0, -2)


class FoldedPrefix(nn.Module):
    """() -> what a `PrefixNetwork` makes, kept as numbers for inference."""

    def __init__(self, network: PrefixNetwork) -> None:
        super().__init__()
        self.vectors = nn.Parameter(network.eval()().detach().clone(), requires_grad=False)

    def forward(self) -> Tensor:
        """All prefixes."""
        return self.vectors
