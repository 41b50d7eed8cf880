"""Ladder Side-Tuning: a small side network learns, and nothing is back-propagated through the language model."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from methods.base import Method, TaskContext
from methods.ladder import Ladder
from methods.papers import lst
from methods.pruning import copy_strongest
from methods.sites import Backbone, beside


class LadderSideTuning(Method):
    """z_l = layer_l(g_l z_{l-1} + (1 - g_l) D_l h_l) beside both stacks; U z_n of the decoder goes to the output head.

    h_l is what the frozen layer l of the backbone gives, without gradient; z_0 = E x, x its stack's input; layer_l is a
    layer of the same kind, all widths over r; g_l = sigmoid(a_l / T), a from 0. As in the published code the backbone
    reads text alone: visual tokens enter the side encoder, where D_l h_l is 0 for them, and the visual embedding learns
    through E. With ``feed_visual_tokens`` the frozen encoder reads them too, again without gradient: the preset of
    mini-bart, which was pre-trained to. On T5-base 7.46 % train, as printed.

    Layers start from the backbone's strongest rows and columns: by magnitudes, an option of the published code, whose
    runs need examples to score by Fisher information (`methods.pruning`). They had a weight decay of 0.03, here a
    setting of the run. Relative positions of T5's side decoder are its own in all layers; in the published code those
    after the first use the backbone's. BART, which the paper does not run on these tasks, is treated alike; its layers
    end in a norm, so none follows.
    """

    name = "lst"
    title = "Ladder Side-Tuning"
    paper = lst("section 3; vision-and-language settings from the published code")
    presets: ClassVar = {"mini-bart": {"feed_visual_tokens": True}}

    learning_rate: float = Field(3e-3, gt=0, description="peak learning rate")
    reduction_factor: int = Field(4, ge=1, description="width of the model over width of the side network")
    temperature: float = Field(0.1, gt=0, description="of the gates: the lower, the more they are all or nothing")
    feed_visual_tokens: bool = Field(False, description="whether the frozen encoder reads visual tokens too")

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Put the side network beside the backbone.

        Raises:
            ValueError: a size of the backbone cannot be divided by the reduction factor.
        """
        ladder = model.initialise(Ladder(model, self.reduction_factor, self.temperature, self.feed_visual_tokens))
        copy_strongest(model, ladder)
        beside(model, context, ladder)
        model.reads_visual_tokens = self.feed_visual_tokens
