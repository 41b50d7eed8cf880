"""The bridge to Hugging Face peft: its tuners are injected into the language model in place."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Collection, Iterable

import peft
from peft.mapping import PEFT_TYPE_TO_TUNER_MAPPING
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer
from torch import nn

from methods.base import Method, TaskContext
from methods.sites import Backbone

ADAPTER = "default"  # peft's name for the one set of modules that is injected


class PeftMethod(Method):
    """A method whose modules are peft's; a sub-class names their configuration.

    peft wraps each targeted layer; the layer itself lives on inside the wrapper, so the site table stays valid,
    but a verb applied to such a layer sees its output without peft's part. `merge` takes the wrappers off.
    Prompt learning does not come this way: peft's version insists on token ids at generation.
    """

    @abstractmethod
    def config(self, model: Backbone) -> peft.PeftConfig:
        """Build peft's configuration for this backbone."""

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Inject the tuner. peft freezes everything else in the language model."""
        inject(model, self.config(model))

    def merge(self, model: Backbone) -> None:
        """Fold every wrapper into its layer's weight and put the plain layer back, if the type can be folded."""
        if self.mergeable:
            fold(model)


def inject(model: Backbone, config: peft.PeftConfig) -> BaseTuner:
    """Wrap the layers that a configuration targets and return the tuner, which nothing else keeps.

    `peft.inject_adapter_in_model` refuses tuners whose layers share tensors, because it throws the tuner away; the
    layers hold these tensors themselves.
    """
    tuner = PEFT_TYPE_TO_TUNER_MAPPING[peft.PeftType(config.peft_type)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it warns of layers that were chosen on purpose
        return tuner(model.lm, config, adapter_name=ADAPTER)


def fold(model: Backbone) -> None:
    """Fold every wrapper into its layer's weight and put the plain layer back.

    Raises:
        Exception: the type cannot be folded; what is raised differs by type.
    """
    for name, module in list(model.lm.named_modules()):
        if isinstance(module, BaseTunerLayer):
            layer = module.get_base_layer()
            if not next(layer.parameters()).is_meta:  # where there are no numbers, there is nothing to fold
                module.merge()
                if module.get_base_layer() is not layer:  # a trained copy took its place
                    layer.load_state_dict(module.get_base_layer().state_dict())
            model.lm.set_submodule(name, layer)


def linear_names(model: Backbone, roles: Collection[str]) -> list[str]:
    """Full names within the language model of the linear layers in one of the roles (q k v o up down gate)."""
    return names_of(model, [linear for site in model.sites for role, linear in site.linears.items() if role in roles])


def names_of(model: Backbone, wanted: Iterable[nn.Module]) -> list[str]:
    """Full names of these modules within the language model."""
    every = set(wanted)
    return [name for name, module in model.lm.named_modules() if module in every]
