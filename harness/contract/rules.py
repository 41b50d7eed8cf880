"""The rules of methods: functions of a method and a family of backbones that raise `Broken` where they are not kept.

They need no weights and no data, and take a fraction of a second; those in `SLOW_RULES` many seconds.
"""

from __future__ import annotations

import re

import torch
from pydantic import ValidationError
from safetensors.torch import load, save
from torch import Tensor

from harness.backbones import get
from harness.contract.checks import Broken, Rule
from harness.contract.probes import distance, first_difference, gradients_of, leaves, some, trained
from harness.contract.tiny import TASKS, VOCABULARY, bare, batch, build, configured, loss_of
from harness.parameters import count, stored_tensors
from harness.refusals import refusal
from methods import Method

NAME = r"[a-z][a-z0-9]*([-/][a-z0-9_]+)*"
# Boxes are zero, so their weight gets no gradient; a bias on all keys alike is invisible to the softmax.
WITHOUT_GRADIENT = ("visual.box.0.weight", "k_proj.bias", ".k.bias")
VISUAL_TOKENS = 5  # per image of `batch`


def declaration(method: type[Method], _family: str) -> None:
    """Name, title, docstrings, descriptions of all hyper-parameters, and presets of these alone."""
    if not re.fullmatch(NAME, method.name):
        raise Broken(f"name is {method.name!r}: write lower-case words joined by '-', such as 'adapter-single'")
    if not (method.title and method.__doc__ and method.attach.__doc__):
        raise Broken("title, the docstring (the formula) or that of attach is missing: write it")
    if silent := [name for name, field in method.model_fields.items() if not field.description]:
        raise Broken(f"no description of {some(silent)}: write Field(..., description=...)")
    for selector, values in method.presets.items():
        if unknown := values.keys() - method.model_fields.keys():
            raise Broken(f"presets[{selector!r}] sets {some(unknown)}: declare it as a hyper-parameter or take it out")
        try:
            method(**values)
        except ValidationError as error:
            first = error.errors()[0]
            raise Broken(f"presets[{selector!r}]: {'.'.join(map(str, first['loc']))} {refusal(first)}") from error


def gradients(method: type[Method], family: str) -> None:
    """Gradients reach every parameter that trains, and nothing that is no parameter of the model."""
    attached = build(method, family)
    attached.learn()
    model = attached.model
    model.zero_grad()
    reached: set[Tensor] = set()
    for task in TASKS:
        with attached.context.on(task):
            loss = attached.loss()
            reached.update(leaves(loss))
            loss.backward()
    if hidden := reached - set(model.parameters()):
        shapes = some(str(tuple(tensor.shape)) for tensor in hidden)
        raise Broken(
            f"a gradient reaches tensors that are not declared, of shape {shapes}: "
            "make them nn.Parameters of a module that a verb attaches"
        )
    dead = [name for name, p in trained(model) if p.grad is None or not p.grad.any()]
    if dead := [name for name in dead if not name.endswith(WITHOUT_GRADIENT)]:
        raise Broken(f"no gradient reaches {some(dead)}: compute with it, or do not create or unfreeze it")


def visual(method: type[Method], family: str) -> None:
    """The visual embedding trains."""
    parameters = build(method, family).model.visual.named_parameters()
    if frozen := [name for name, parameter in parameters if not parameter.requires_grad]:
        raise Broken(f"attach freezes {some(frozen)} of the visual embedding: leave it as it is, it always trains")


def training(method: type[Method], family: str) -> None:
    """Training changes what trains and nothing else."""
    attached = build(method, family)
    before = {name: tensor.clone() for name, tensor in attached.model.state_dict().items()}
    names = {name for name, _ in trained(attached.model)}
    for _ in range(24):  # parts that are drawn at random take their turns
        attached.learn()
        tensors = attached.model.state_dict().items()
        changed = {name for name, tensor in tensors if not torch.equal(tensor, before[name])}
        still = {name for name in names - changed if not name.endswith(WITHOUT_GRADIENT)}
        if not still:
            break
    if wrong := changed - names:
        raise Broken(f"training changes {some(wrong)}, which is frozen: unfreeze it in attach, or do not write into it")
    if still:
        raise Broken(f"training leaves {some(still)} as it was: compute with it, or do not create or unfreeze it")


def storing(method: type[Method], family: str) -> None:
    """The stored tensors alone, put into a model with another seed, restore the trained model."""
    attached, twin = build(method, family), build(method, family, seed=9)
    attached.learn()
    found = stored_tensors(attached.model, VISUAL_TOKENS)
    stored = load(save({name: tensor.contiguous() for name, tensor in found.items()}))
    places = stored_tensors(twin.model, VISUAL_TOKENS)
    if other := stored.keys() ^ places.keys():
        raise Broken(f"{some(other)} is stored or not as the seed has it: attach the same modules under every seed")
    with torch.no_grad():
        for name, tensor in stored.items():
            places[name].copy_(tensor)
    if apart := distance(attached.logits(), twin.logits(), 1e-6):
        raise Broken(
            f"what is stored does not restore the model ({apart}): "
            "make all that is learnt or drawn parameters or buffers of attached modules"
        )


def identity(method: type[Method], family: str) -> None:
    """Before training, the model computes what the backbone does, if and only if that is declared."""
    with torch.no_grad():
        plain = bare(family).eval()(**batch())
    apart = distance(build(method, family).logits()[0], plain)
    if apart and method.identity_at_start:
        raise Broken(f"identity_at_start is declared, but {apart} at the start: initialise otherwise, or take it away")
    if not apart and not method.identity_at_start:
        raise Broken("computes what the backbone does at the start: declare identity_at_start = True")


def merging(method: type[Method], family: str) -> None:
    """Merging changes no output; it leaves nothing beside the backbone, if and only if that is declared."""
    attached = build(method, family)
    attached.learn()
    unmerged = attached.logits()
    attached.method.merge(attached.model)
    if apart := distance(attached.logits(), unmerged, 1e-4):
        raise Broken(f"the merged model is another one ({apart}): correct merge")
    left = dict(attached.model.named_parameters()).keys() ^ dict(bare(family).named_parameters()).keys()
    if left and method.mergeable:
        raise Broken(f"mergeable is declared, but merge leaves {some(left)}: fold it in and take it off")
    if not left and not method.mergeable:
        raise Broken("nothing is left beside the backbone after merge: declare mergeable = True")


def routing(method: type[Method], family: str) -> None:
    """After training, tasks differ in the function that is computed, if and only if that is declared."""
    attached = build(method, family)
    attached.learn()
    first, second = attached.logits()
    apart = distance(first, second)
    if apart and not method.needs_task:
        raise Broken(f"depends on the task ({apart} between two): declare needs_task = True, or do not read it")
    if not apart and method.needs_task:
        raise Broken("needs_task is declared, but two tasks are computed alike: read context.task, or take it away")


def caching(method: type[Method], family: str) -> None:
    """Beam search finds the same tokens with and without cache."""
    attached = build(method, family)
    attached.learn()
    model, inputs = attached.model, batch()
    inputs.pop("labels")
    with attached.context.on(TASKS[1]), torch.no_grad():
        cached = model.generate(inputs["ids"], inputs["mask"], inputs["features"], beams=3, max_length=8)
        states, mask = model.encode(**inputs)
        uncached = model.lm.generate(  # type: ignore[operator]
            encoder_outputs=states,
            attention_mask=mask,
            num_beams=3,
            max_length=8,
            do_sample=False,
            use_cache=False,
            **model.generation,
        )
    if not torch.equal(cached, uncached):
        raise Broken(
            "generation with cache writes other tokens than without: in the decoder, compute each token by itself"
        )


def attention(method: type[Method], family: str) -> None:
    """Fused and eager attention compute the same."""
    fused, eager = build(method, family, attention="sdpa"), build(method, family, attention="eager")
    fused.learn()
    eager.model.load_state_dict(fused.model.state_dict())
    # The two sum in another order; a prompt's large vectors round at some 1e-5.
    if apart := distance(fused.logits(), eager.logits(), tolerance=1e-4):
        raise Broken(f"eager and fused attention differ ({apart}): enter attention through the verb prefix alone")


def padding(method: type[Method], family: str) -> None:
    """What stands under padding has an effect, if and only if that is declared."""
    attached, inputs = build(method, family), batch()
    attached.learn()
    other = torch.where(inputs["mask"] == 0, (inputs["ids"] + 1) % VOCABULARY, inputs["ids"])
    apart = distance(attached.logits(), attached.logits(ids=other))
    if apart and not method.reads_padding:
        raise Broken(f"reads tokens under padding ({apart}): compute each by itself, or declare reads_padding = True")
    if not apart and method.reads_padding:
        raise Broken("reads_padding is declared, but tokens under padding have no effect: take it away")


def checkpointing(method: type[Method], family: str) -> None:
    """Gradient checkpointing changes neither loss nor gradients."""
    steps = []
    for checkpointed in (False, True):
        attached = build(method, family)
        model = attached.model.train()
        if checkpointed:
            model.lm.activation_checkpointing_enable()
            model.lm.disable_input_require_grads()
        torch.manual_seed(5)  # the same dropout inside methods
        with attached.context.on(TASKS[0]):
            loss = attached.loss()
            loss.backward()
        steps.append({"loss": loss.detach(), **gradients_of(model)})
    if apart := first_difference(*steps):
        raise Broken(f"gradient checkpointing changes the step ({apart}): keep no state between calls of a module")


def bfloat16(method: type[Method], family: str) -> None:
    """A step under bfloat16 autocast is finite."""
    attached = build(method, family)
    model = attached.model.train()
    with attached.context.on(TASKS[0]):
        with torch.autocast("cpu", torch.bfloat16):
            loss = attached.loss()
        loss.backward()
    numbers = {"the loss": loss, **gradients_of(model)}
    if wild := [name for name, tensor in numbers.items() if not tensor.isfinite().all()]:
        raise Broken(f"{some(wild)} is not finite under bfloat16: compute what is delicate in float32")


def counting(method: type[Method], family: str) -> None:
    """Without weights, on torch's meta device, the counts are those of the real model."""
    model = build(method, family).model
    counts = count(configured(method, family), get("mini-bart"), "image-text", TASKS, loaded=bare(family))
    found = sum(parameter.numel() for _, parameter in trained(model, once=True))
    if counts.trained != found:
        raise Broken(f"{found} numbers train, {counts.trained} without weights: do not let attach depend on numbers")


def compiling(method: type[Method], family: str) -> None:
    """A full-graph compiled step equals the eager one; there is one graph, or one per task where that matters."""
    from torch._dynamo.testing import CompileCounterWithBackend  # slow to import

    attached = build(method, family)
    attached.learn()
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(attached.model, backend=counter, fullgraph=True)
    for task in TASKS * 2:
        steps = []
        for model in (attached.model, compiled):
            attached.model.zero_grad()
            with attached.context.on(task):
                loss = loss_of(model)
                loss.backward()
            steps.append({"loss": loss.detach(), **gradients_of(attached.model)})
        if apart := first_difference(*steps):
            raise Broken(f"compiled and eager steps differ ({apart}): keep no state between calls of a module")
    graphs = len(TASKS) if method.needs_task else 1
    if counter.frame_count > graphs:
        raise Broken(f"{counter.frame_count} graphs instead of {graphs}: do not branch on numbers or on call counts")


# Besides `declaration`, which needs no backbone:
RULES: tuple[Rule, ...] = (
    *(counting, gradients, visual, training, storing, identity, merging, routing),
    *(caching, attention, padding, checkpointing, bfloat16),
)
SLOW_RULES: tuple[Rule, ...] = (compiling,)
