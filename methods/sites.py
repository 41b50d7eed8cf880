"""Where a method may touch a backbone: the table of residual sub-layers, and the verbs that attach to it.

transformers' modules stay unmodified: `after` and `around` are forward hooks on linear layers, and an
attached module becomes a child of the linear that it follows, so names, devices and saving come for free.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

import torch
from torch import Tensor, nn

from methods.attention import enable_prefixes, refuse_without_prefixes
from methods.base import TaskContext

M = TypeVar("M", bound=nn.Module)
Stack = Literal["encoder", "decoder"]
STACKS: tuple[Stack, ...] = ("encoder", "decoder")


@dataclass(frozen=True)
class Site:
    """One residual sub-layer x + dropout(f(x))."""

    stack: Stack
    layer: int
    kind: Literal["self_attn", "cross_attn", "ffn"]
    entry: nn.Module  # its first input is x, the residual stream (batch, length, width)
    exit: nn.Linear  # its output is f(x), before dropout and the residual sum
    linears: Mapping[str, nn.Linear]  # by role: q k v o, or up down, and gate in act(gate x) · up x
    attention: nn.Module | None = None
    heads: int = 0

    @property
    def width(self) -> int:
        """Size of the residual stream."""
        return self.exit.out_features


class Backbone(Protocol):
    """What a method may rely on; fulfilled by `harness.backbones`."""

    @property
    def lm(self) -> nn.Module:
        """The language model itself, a class of transformers, unmodified."""
        ...

    @property
    def visual(self) -> nn.Module:
        """Makes the visual tokens (batch, tokens, width), once per batch and before any layer runs."""
        ...

    @property
    def family(self) -> str:
        """Either "bart" or "t5"."""
        ...

    @property
    def layers(self) -> Mapping[Stack, Sequence[nn.Module]]:
        """Whole layers by stack; each takes (states, mask of self-attention, ...) and gives states or (states, ...)."""
        ...

    width: int
    sites: tuple[Site, ...]
    prompts: nn.ModuleList  # each () -> (length, width), placed before the text
    reads_visual_tokens: bool  # False: the encoder reads text alone
    sees_images: bool  # False: a suite of text, where `visual` gives no tokens and has nothing to train

    def initialise(self, module: M) -> M:
        """Apply the family's rule for new modules and return the same module.

        BART: every Linear and Embedding from N(0, 0.02) with zero bias; T5: torch's defaults stay
        (the published code's library does so; methods-facts 1.5).
        """
        ...


class PendingInput:
    """Hands the residual stream from a site's entry to its exit within one forward pass."""

    def __init__(self) -> None:
        self.value: Tensor | None = None

    def store(self, _module: nn.Module, args: tuple[Any, ...]) -> None:
        """Forward pre-hook of the entry."""
        self.value = args[0]

    def apply(self, owner: nn.Module, _args: tuple[Any, ...], y: Tensor) -> Tensor:
        """Forward hook of the exit."""
        x, self.value = self.value, None  # keep no tensor alive, also when an earlier pass broke off
        return owner.pet(x, y)  # type: ignore[operator]


def _apply_after(owner: nn.Module, args: tuple[Any, ...], y: Tensor) -> Tensor:
    return owner.pet(args[0], y)  # type: ignore[operator]


def after(linear: nn.Linear, module: nn.Module) -> None:
    """Replace the linear's output y by ``module(x, y)``, x being its input; both (batch, length, features).

    Raises:
        ValueError: the linear already carries a module.
    """
    _adopt(linear, module)
    linear.pet_hook = linear.register_forward_hook(_apply_after)  # type: ignore[assignment]


def detach(linear: nn.Linear) -> nn.Module:
    """Undo `after` and return the module, so that a method can fold it into the linear's weight."""
    module = linear.pet
    linear.pet_hook.remove()  # type: ignore[operator, union-attr]
    del linear.pet, linear.pet_hook
    return module  # type: ignore[return-value]


def around(site: Site, module: nn.Module) -> None:
    """Replace the sub-layer's output f(x) by ``module(x, f(x))``; both (batch, length, width).

    Raises:
        ValueError: the site already carries a module.
    """
    _adopt(site.exit, module)
    pending = PendingInput()
    site.entry.register_forward_pre_hook(pending.store)
    site.exit.register_forward_hook(pending.apply)


def prompt(model: Backbone, module: nn.Module) -> None:
    """Place ``module()``, of shape (length, width), before the text of the encoder's input."""
    model.prompts.append(module)


def prefix(model: Backbone, site: Site, module: nn.Module) -> None:
    """Put the keys and values ``module()`` before those of an attention site, where every query sees them.

    Each is (batch or 1, heads, length, head width). They are in no cache and have no relative position; masks of
    padding and of the future stay. Choose between eager and fused attention before, not after.

    Raises:
        ValueError: the site has no attention or carries a module in it, or the attention is neither eager nor sdpa.
    """
    if site.attention is None:
        raise ValueError(f"a prefix needs an attention; {site.stack} layer {site.layer} {site.kind} has none")
    enable_prefixes(model.lm)
    _adopt(site.attention, module)
    site.attention.register_forward_pre_hook(refuse_without_prefixes)


def share(model: Backbone, module: nn.Module) -> Callable[[], Any]:
    """Let all sites share ``module()``: it becomes a child of the language model; return a function that runs it.

    Raises:
        ValueError: the language model carries such a module already.
    """
    _adopt(model.lm, module)
    return lambda: model.lm.pet()  # type: ignore[operator]


def once_per_batch(model: Backbone, context: TaskContext, module: nn.Module) -> Callable[[], Any]:
    """Let all sites `share` what ``module()`` makes, run once per batch, and return a function that gives it.

    It runs before the first layer, outside of what gradient checkpointing repeats, in a generation once for all its
    steps. It may read ``context.task`` and ``context.image``.

    Raises:
        ValueError: the language model carries such a module already.
    """
    run = share(model, module)

    def make(_visual: nn.Module, _args: tuple[Any, ...], tokens: Tensor) -> None:
        context.image = tokens
        context.made = run()

    model.visual.register_forward_hook(make)
    return lambda: context.made


def read_ends(model: Backbone, read: Callable[[Tensor, Tensor, Tensor], None]) -> None:
    """Call ``read`` whenever the decoder has run.

    It gets the encoder's last states (b, s, width), which of them count (b, s), and the decoder's (b, t, width).
    """

    def end(_decoder: nn.Module, _args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        read(kwargs["encoder_hidden_states"], kwargs["encoder_attention_mask"], output.last_hidden_state)

    model.lm.get_decoder().register_forward_hook(end, with_kwargs=True)  # type: ignore[operator]


@dataclass
class Passage:
    """One pass through the layers of a stack, as a side network reads it: b examples, s positions."""

    entry: Tensor  # what the first layer got, (b, s, width), with its gradient
    mask: Tensor | None  # of self-attention, as the layers got it
    cache: Any  # transformers' cache of keys and values while generating, else None
    read: list[Tensor] = field(default_factory=list)  # what the side network made of each layer's output


class SideNetwork(nn.Module, ABC):
    """A network of its own beside the language model; see `beside`."""

    @abstractmethod
    def read(self, stack: Stack, layer: int, states: Tensor) -> Tensor:
        """Take what is needed of a layer's output (b, s, width); it carries no gradient."""

    @abstractmethod
    def encode(self, passage: Passage, visual: Tensor) -> Any:
        """Run beside the encoder, with the visual tokens (b, n, width); return what `decode` needs of it."""

    @abstractmethod
    def decode(self, passage: Passage, encoded: Any) -> Tensor:
        """Run beside the decoder; return what the output head reads, (b, t, width)."""


class PassageRecorder:
    """Collects a `Passage` while the layers of one stack run; they compute without gradient."""

    def __init__(self, side: SideNetwork, stack: Stack) -> None:
        self.side, self.stack = side, stack
        self.passage: Passage | None = None

    def start(self, _layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Forward pre-hook of the first layer."""
        self.passage = Passage(args[0], args[1], kwargs.get("cache"))
        return (args[0].detach(), *args[1:]), kwargs

    def read(self, _layer: nn.Module, _args: tuple[Any, ...], output: Any) -> None:
        """Forward hook of every layer."""
        states = output if isinstance(output, Tensor) else output[0]
        read = self.passage.read  # type: ignore[union-attr]
        read.append(self.side.read(self.stack, len(read), states.detach()))

    def take(self) -> Passage:
        """Give the passage away, so that none of its tensors is kept."""
        passage, self.passage = self.passage, None
        return passage  # type: ignore[return-value]


def beside(model: Backbone, context: TaskContext, side: SideNetwork) -> None:
    """Let a side network read the layers' outputs and give, in the decoder's place, what the output head reads.

    Nothing is back-propagated through the layers: they compute without gradient. The visual embedding learns through
    what the side network gets: the input of the first layer and the visual tokens. The side network becomes a child of
    the language model; what it encodes waits in ``context.made``, in a generation for all its steps.

    Raises:
        ValueError: the language model carries such a module already.
    """
    _adopt(model.lm, side)
    recorders = {stack: PassageRecorder(side, stack) for stack in STACKS}
    for stack, recorder in recorders.items():
        model.layers[stack][0].register_forward_pre_hook(recorder.start, with_kwargs=True)
        for layer in model.layers[stack]:
            layer.register_forward_hook(recorder.read)

    def see(_visual: nn.Module, _args: tuple[Any, ...], tokens: Tensor) -> None:
        context.image = tokens

    def encode(*_: Any) -> None:
        context.made = side.encode(recorders["encoder"].take(), context.image)  # type: ignore[arg-type]

    def decode(_decoder: nn.Module, _args: tuple[Any, ...], output: Any) -> None:
        output.last_hidden_state = side.decode(recorders["decoder"].take(), context.made)

    model.visual.register_forward_hook(see)
    model.layers["encoder"][-1].register_forward_hook(encode)
    model.lm.get_decoder().register_forward_hook(decode)  # type: ignore[operator]


def unfreeze(model: Backbone, pattern: str) -> int:
    """Let every parameter train whose name matches the regular expression; return how many numbers they hold.

    The names searched are those of the language model, attached modules included.

    Raises:
        ValueError: nothing matches.
    """
    hits = [parameter for name, parameter in model.lm.named_parameters() if re.search(pattern, name)]
    if not hits:
        raise ValueError(f"no parameter name of the backbone matches {pattern!r}")
    for parameter in hits:
        parameter.requires_grad_(True)
    return sum(parameter.numel() for parameter in hits)


def unfreeze_biases(model: Backbone) -> int:
    """Let every bias vector of the language model train; return how many there are: none in T5.

    T5's tables of relative position biases are no bias vectors.
    """
    found = [parameter for name, parameter in model.lm.named_parameters() if name.endswith(".bias")]
    for parameter in found:
        parameter.requires_grad_(True)
    return len(found)


def norms(model: Backbone, stack: Stack | None = None) -> list[nn.Module]:
    """Normalisation layers of the language model or of one stack; a stack's embedding norm belongs to it."""
    part: nn.Module = model.lm if stack is None else getattr(model.lm, f"get_{stack}")()
    return [module for module in part.modules() if is_norm(module)]


def is_norm(module: nn.Module) -> bool:
    """Whether a module is a normalisation layer, torch's or transformers' own."""
    return isinstance(module, nn.LayerNorm | nn.RMSNorm) or "Norm" in type(module).__name__


def unfreeze_norms(model: Backbone, stack: Stack | None = None) -> None:
    """Let all normalisation layers train (``--unfreeze_layer_norms`` of VL-Adapter), or those of one stack.

    Raises:
        ValueError: there is none.
    """
    layers = norms(model, stack)
    if not layers:
        raise ValueError(f"the {stack or 'backbone'} has no normalisation layer")
    for layer in layers:
        layer.requires_grad_(True)


def _adopt(parent: nn.Module, module: nn.Module) -> None:
    if hasattr(parent, "pet"):
        place = "linear" if isinstance(parent, nn.Linear) else "place"
        raise ValueError(f"two methods at one place: this {place} already carries a module; join them in one module")
    device = next(parent.parameters()).device
    if device != torch.device("meta"):
        module.to(device)
    parent.add_module("pet", module)
