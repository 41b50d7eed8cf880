"""BitFit: only bias vectors learn, those that are there or also those that could be."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from methods.base import Method, Paper, TaskContext
from methods.papers import lst
from methods.sites import Backbone, is_norm, unfreeze_biases


class BitFit(Method):
    """Every bias vector of the language model trains: those of linear layers and of norms, as in VL-PET.

    T5 has none, so it is refused: VL-PET's selection by name would find its two tables of relative position biases
    there, which are no bias vectors.
    """

    name = "bitfit"
    title = "BitFit"
    paper = Paper(
        key="benzaken2022bitfit",
        title="BitFit: Simple Parameter-efficient Fine-tuning for Transformer-based Masked Language-models",
        url="https://arxiv.org/abs/2106.10199",
        year=2022,
        section="section 3",
    )
    identity_at_start = True
    mergeable = True

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Unfreeze the biases.

        Raises:
            ValueError: the backbone has none.
        """
        if not unfreeze_biases(model):
            raise ValueError(f"{model.family.upper()} has no bias vectors to train; bitfit-added adds them")


class AddedBitFit(Method):
    """f(x) + b with b from zero wherever a linear layer or norm f has no bias vector; all bias vectors train.

    On T5 that is q, k, v, o and the feed-forward layers, all norms (the visual embedding's too) and the output head, as
    Ladder Side-Tuning trains T5: 0.83 %. On BART, which has bias vectors everywhere else, it is BitFit with a bias of
    the output head.
    """

    name = "bitfit-added"
    title = "BitFit with added biases"
    paper = lst("experiments, BitFit on T5; places of the biases from the published code")
    identity_at_start = True
    presets: ClassVar = {"t5": {"learning_rate": 3e-3}}

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Give a bias to every linear layer and norm without one, then unfreeze the others."""
        for layer in (*model.lm.modules(), *model.visual.modules()):
            if getattr(layer, "bias", None) is not None:
                continue
            if isinstance(layer, nn.Linear):
                layer.bias = nn.Parameter(layer.weight.new_zeros(layer.out_features))
            elif is_norm(layer):
                layer.bias = nn.Parameter(torch.zeros_like(layer.weight))  # type: ignore[arg-type]
                layer.register_forward_hook(_add_bias)
        unfreeze_biases(model)


def _add_bias(norm: nn.Module, _args: tuple[Any, ...], y: Tensor) -> Tensor:
    return y + norm.bias  # type: ignore[operator]
