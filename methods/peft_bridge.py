"""The bridge to Hugging Face peft: its tuners are injected into the language model in place."""

from __future__ import annotations

from abc import abstractmethod

import peft
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn

from methods.base import Method, TaskContext
from methods.sites import Backbone


class PeftMethod(Method):
    """A method whose modules are peft's; a sub-class names their configuration.

    peft wraps each targeted linear layer; the layer itself lives on inside the wrapper, so the site table
    stays valid, but a verb applied to such a layer sees its output without peft's part. `merge` takes the
    wrappers off. Prompt learning does not come this way: peft's version insists on token ids at generation.
    """

    @abstractmethod
    def config(self, model: Backbone) -> peft.PeftConfig:
        """Build peft's configuration for this backbone."""

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Inject the tuner. peft freezes everything else in the language model."""
        peft.inject_adapter_in_model(self.config(model), model.lm)

    def merge(self, model: Backbone) -> None:
        """Fold every wrapper into its layer's weight and put the plain layer back."""
        for name, module in list(model.lm.named_modules()):
            if isinstance(module, BaseTunerLayer):
                module.merge()
                model.lm.set_submodule(name, module.get_base_layer())


def linear_names(model: Backbone, roles: set[str]) -> list[str]:
    """Full names within the language model of the linear layers in one of the roles (q k v o up down)."""
    wanted: set[nn.Module] = {linear for site in model.sites for role, linear in site.linears.items() if role in roles}
    return [name for name, module in model.lm.named_modules() if module in wanted]
