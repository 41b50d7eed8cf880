"""The floor of the papers: the language model stays frozen and only the visual embedding learns."""

from __future__ import annotations

from methods.base import Method, TaskContext
from methods.papers import vl_adapter
from methods.sites import Backbone, unfreeze_norms

PAPER = vl_adapter("ablation of the trained parts")


class Projection(Method):
    """Only the visual embedding trains: feature and box projections, their norms, the image-order table.

    The paper prints 1.14 % on VL-BART, which is 1,582,848 over plain BART's 139,420,416; over the model as it
    runs (added token rows and visual embedding counted) it is 1.12 %.
    """

    name = "projection"
    title = "Projection only"
    paper = PAPER
    identity_at_start = True
    mergeable = True

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Add nothing: the visual embedding trains under every method."""


class ProjectionWithNorms(Projection):
    """The visual embedding and all layer norms of the language model train, embedding norms included.

    The paper prints 1.18 % on VL-BART; counted from the model it is 1.16 %.
    """

    name = "projection-ln"
    title = "Projection + layer norms"

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Unfreeze the norms."""
        unfreeze_norms(model)
