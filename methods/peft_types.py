"""Every type of Hugging Face peft as a method ``peft/<type>``, and the variants of LoRA that go by a name of their own.

The types are those of peft's own registry, so a newer peft brings its new types along. What a type does on
encoder-decoders is found by probing and kept in ``peft_types.yaml`` (`methods.peft_outcomes`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import fields
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any, ClassVar

import peft
import torch
import yaml
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from peft.tuners.adalora.layer import AdaLoraLayer
from peft.tuners.poly.layer import PolyLayer
from peft.tuners.tuners_utils import BaseTuner
from pydantic import Field, create_model
from torch import Tensor, nn

from methods.base import Added, Paper, TaskContext
from methods.peft_bridge import ADAPTER, PeftMethod, inject, linear_names, names_of
from methods.peft_catalogue import KNOWN, Known, rank
from methods.peft_outcomes import Outcome, installed
from methods.sites import Backbone, norms

PREFIX = "peft/"
PROMPTS = "prompt learning does not go through peft, whose version insists on token ids: use "
UNUSABLE: Mapping[str, str] = {
    "prompt_tuning": PROMPTS + "prompt-single",
    "p_tuning": PROMPTS + "prompt-single",
    "multitask_prompt_tuning": PROMPTS + "prompt-single",
    "cpt": PROMPTS + "prompt-single",
    "prefix_tuning": PROMPTS + "prefix",
    "cartridge": PROMPTS + "prefix",
    "adaption_prompt": "it patches the attention of LLaMA-like models: use prefix",
    "xlora": "it mixes LoRA adapters that were trained before, and here are none",
    "shadow": "its second network runs beside a decoder-only model",
}


class PeftType(PeftMethod):
    """A type whose hyper-parameters have this project's names; the classes at the end of this file are made of it."""

    kind: ClassVar[peft.PeftType]
    options: ClassVar[Mapping[str, str]]  # hyper-parameter -> field of peft's configuration
    settings: ClassVar[Mapping[str, Any]]  # further fields
    hindrance: ClassVar[str]  # why it need not even be probed
    probed: ClassVar[bool]  # whether its outcome is stored
    outcome: ClassVar[Outcome]

    def config(self, model: Backbone) -> peft.PeftConfig:
        """Pass on the hyper-parameters and say what is to be wrapped.

        Raises:
            ValueError: the backbone has nothing of the kind, or peft refuses a value.
        """
        values = {option: getattr(self, name) for name, option in self.options.items()}
        return PEFT_TYPE_TO_CONFIG_MAPPING[self.kind](**{**self.settings, **values, **self.place(model)})

    def place(self, model: Backbone) -> Mapping[str, Any]:
        """Fields of peft's configuration that hang on the backbone."""
        return {}

    def attach(self, model: Backbone, context: TaskContext) -> None:
        """Inject the tuner. A type that was never probed is tried, and must train something.

        Raises:
            ValueError: the type cannot serve this backbone.
        """
        config: Any = self.config(model)
        layers = [model.lm.get_submodule(name) for name in config.target_modules or ()]
        try:
            with _numbers(layers) if self.outcome.needs_numbers else nullcontext():
                self.inject(model, config, context)
        except Exception as error:
            if self.probed:
                raise
            raise ValueError(f"peft {peft.__version__} cannot build it ({' '.join(str(error).split())})") from error
        if not any(parameter.requires_grad for parameter in model.lm.parameters()):
            raise ValueError("nothing of it trains")

    def inject(self, model: Backbone, config: peft.PeftConfig, context: TaskContext) -> BaseTuner:
        """Build peft's tuner."""
        return inject(model, config)

    def counted(self, backbone: str) -> Added | None:
        """Give the stored counts, if they were made with these sizes."""
        return self.outcome.counts.get(backbone) if self.sizes() == self.outcome.sizes else None

    def sizes(self) -> dict[str, Any]:
        """All hyper-parameters but the learning rate, on which counts do not hang."""
        return self.model_dump(exclude={"learning_rate"})


def _roles(default: str) -> Any:
    role = "(q|k|v|o|up|down|gate)"
    text = "roles of the linear layers that are wrapped, among q k v o up down gate"
    return Field(default, pattern=rf"^{role}( {role})*$", description=text)


class OnLinears(PeftType):
    """A type that wraps linear layers."""

    targets: str = _roles("q v")

    def place(self, model: Backbone) -> Mapping[str, Any]:
        """Name the layers in full."""
        names = linear_names(model, self.targets.split())
        if not names:
            raise ValueError(f"no linear layer of the backbone has one of the roles {self.targets!r}")
        return {"target_modules": names}


class Ia3(OnLinears):
    """(IA)³ scales what the second feed-forward layer reads, and what other layers give."""

    def place(self, model: Backbone) -> Mapping[str, Any]:
        """Name the layers in full, and those of which the input is scaled."""
        roles = {"down"} & set(self.targets.split())
        return {**super().place(model), "feedforward_modules": linear_names(model, roles)}


class OnNorms(PeftType):
    """A type that wraps normalisation layers."""

    def place(self, model: Backbone) -> Mapping[str, Any]:
        """Name the layers in full."""
        return {"target_modules": names_of(model, norms(model))}


class OnTokens(PeftType):
    """A type that wraps the token table."""

    tokens: int = Field(1000, ge=1, description="rows that train, at most half of the table")

    def place(self, model: Backbone) -> Mapping[str, Any]:
        """Choose the first rows; peft finds the table, and what is tied to it, by itself."""
        rows = len(model.lm.get_input_embeddings().weight) // 2  # type: ignore[operator]  # images read the last rows
        return {"token_indices": list(range(min(self.tokens, rows)))}


class AdaLora(OnLinears):
    """AdaLoRA needs the length of training, the gradients after each step, and a loss of its own."""

    orthogonality: float = Field(0.1, ge=0, description="weight of the orthogonality loss")
    warm_up: float = Field(0.1, ge=0, lt=0.5, description="share of the steps before the first direction goes")
    settle: float = Field(0.3, ge=0, lt=0.5, description="share of the steps after the last direction went")

    def config(self, model: Backbone) -> peft.PeftConfig:
        """As for all types; the ranks must go down."""
        config: Any = super().config(model)
        if config.init_r <= config.target_r:
            raise ValueError(f"initial_rank ({config.init_r}) must be greater than rank ({config.target_r})")
        return config

    def inject(self, model: Backbone, config: peft.PeftConfig, context: TaskContext) -> BaseTuner:
        """Build the tuner; the model keeps how it chooses directions."""
        tuner: Any = super().inject(model, config, context)
        model.lm.allocate = tuner.update_and_allocate
        return tuner

    def regulariser(self, model: Backbone) -> Tensor:
        """Mean of ‖A Aᵀ - I‖ and ‖Bᵀ B - I‖ over all layers, weighted."""
        layers: list[Any] = [layer for layer in model.lm.modules() if isinstance(layer, AdaLoraLayer)]
        rows = [part for layer in layers for part in (layer.lora_A[ADAPTER], layer.lora_B[ADAPTER].T)]
        lengths = [torch.linalg.norm(a @ a.T - torch.eye(len(a), device=a.device)) for a in rows]
        return self.orthogonality * torch.stack(lengths).mean()

    def after_step(self, model: Backbone, step: int, steps: int) -> None:
        """Judge directions by the step's gradients and, where it is time, set the least important to zero."""
        config: Any = model.lm.peft_config[ADAPTER]  # type: ignore[index]
        config.total_step, config.tinit, config.tfinal = steps, int(self.warm_up * steps), int(self.settle * steps)
        if steps - config.tfinal > 1:  # else it would choose before it has judged
            model.lm.allocate(step)  # type: ignore[operator]


class Poly(OnLinears):
    """Poly's layers must be told the task."""

    needs_task = True

    def inject(self, model: Backbone, config: Any, context: TaskContext) -> BaseTuner:
        """Build the tuner with a row for every task."""
        config.n_tasks = len(context.tasks)
        tuner = super().inject(model, config, context)
        for layer in model.lm.modules():
            if isinstance(layer, PolyLayer):
                layer.register_forward_pre_hook(partial(_tell_task, context), with_kwargs=True)
        return tuner


def _tell_task(context: TaskContext, _layer: nn.Module, args: Any, options: dict[str, Any]) -> tuple[Any, Any]:
    task = torch.full((len(args[0]),), context.tasks.index(context.task))
    return args, {**options, "task_ids": task}


@contextmanager
def _numbers(layers: list[nn.Module]) -> Iterator[None]:
    """Give layers of the meta device random weights on the CPU meanwhile: some types decompose or sort them."""
    bare = [(layer, name, p) for layer in layers for name, p in layer.named_parameters() if p.is_meta]
    for layer, name, parameter in bare:
        numbers = torch.randn(parameter.shape, device="cpu")
        setattr(layer, name, nn.Parameter(numbers, requires_grad=False))
    with torch.device("cpu") if bare else nullcontext():  # torch's default may be the meta device
        yield
    for layer, name, parameter in bare:
        setattr(layer, name, parameter)


SPECIAL: Mapping[str, type[PeftType]] = {
    "adalora": AdaLora,
    "ia3": Ia3,
    "ln_tuning": OnNorms,
    "poly": Poly,
    "trainable_tokens": OnTokens,
}
PAPERS = {
    key: Paper(key, **entry)
    for key, entry in yaml.safe_load(files("methods").joinpath("peft_papers.yaml").read_text("utf-8")).items()
}


def _classes() -> Iterator[type[PeftType]]:
    """One class for every type that peft knows, and for every known variant."""
    outcomes = installed()
    types = {str(kind.value).lower(): kind for kind in PEFT_TYPE_TO_CONFIG_MAPPING}
    for name in dict.fromkeys([*types, *KNOWN]):
        known = KNOWN.get(name)
        kind = types.get(known.variant_of if known and known.variant_of else name)
        if kind is not None:
            yield _class(name, kind, known or _guess(kind), outcomes.get(name))


def _class(name: str, kind: peft.PeftType, known: Known, outcome: Outcome | None) -> type[PeftType]:
    values: dict[str, Any] = {"learning_rate": (float, Field(known.rate, gt=0, description="peak learning rate"))}
    if known.targets:
        values["targets"] = (str, _roles(known.targets))
    for field, size in known.sizes.items():
        values[field] = (type(size.default), Field(size.default, description=size.description, **size.bounds))
    base, title = SPECIAL.get(name, OnLinears), "Peft" + name.title().replace("_", "")
    made: Any = create_model(title, __base__=base, __module__=__name__, __doc__=known.formula, **values)
    slower = {"learning_rate": 0.3 * known.rate}  # by as much as the papers' rate for LoRA is lower there
    made.name, made.title, made.paper = PREFIX + name, known.title, PAPERS.get(known.paper)
    made.kind, made.settings = kind, known.settings
    made.options = {field: size.option for field, size in known.sizes.items()}
    made.probed, made.outcome = outcome is not None, outcome or Outcome()
    made.identity_at_start, made.mergeable = made.outcome.identity_at_start, made.outcome.mergeable
    made.usual = known.usual
    made.hindrance = UNUSABLE.get(name) or _lacks(kind, known)
    made.unusable = made.hindrance or made.outcome.unusable
    made.presets = {
        "bart/video-text": slower,
        "t5": slower,
        "mini-bart": {field: size.mini for field, size in known.sizes.items()},
    }
    return made


def _guess(kind: peft.PeftType) -> Known:
    """What can be said of a type that came with a newer peft."""
    options = {option.name for option in fields(PEFT_TYPE_TO_CONFIG_MAPPING[kind])}
    sizes = {"rank": rank()} if "r" in options else {}
    return Known(f"{kind.value} of peft", "A type of peft of which this project knows the name alone.", "", sizes)


def _lacks(kind: peft.PeftType, known: Known) -> str:
    """Say what is missing for a type here, if anything."""
    options = {option.name for option in fields(PEFT_TYPE_TO_CONFIG_MAPPING[kind])}
    if "target_modules" not in options:
        return "it wraps no layers (its configuration has no target_modules)"
    try:
        version(known.library or "peft")
    except PackageNotFoundError:
        return f"it needs {known.library}: pip install {known.library}"
    return ""


CLASSES = tuple(_classes())
globals().update({made.__name__: made for made in CLASSES})  # where discovery looks for them
