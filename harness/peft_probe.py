"""What a type of peft does on encoder-decoders, found by holding it against the contract of methods."""

from __future__ import annotations

from typing import Any

import torch

from harness.backbones import SPECS, on_meta
from harness.contract import rules
from harness.contract.checks import Broken, Check, Rule
from harness.contract.kit import FAMILIES
from harness.contract.tiny import batch, build
from harness.parameters import PAPER_SUITES, count, stored_tensors
from methods import Method
from methods.base import Added
from methods.peft_outcomes import Outcome
from methods.peft_types import PeftType

KIND = "image-text"


def looking_ahead(method: type[Method], family: str) -> None:
    """Outputs hang neither on later words nor on the batch's other examples, of which decoding knows nothing."""
    attached = build(method, family)
    attached.learn()
    logits, labels = attached.logits(), batch()["labels"]
    other = attached.logits(labels=torch.cat([labels[:, :-2], labels[:, :2]], dim=1))
    if not torch.allclose(other[:, :, :-2], logits[:, :, :-2], atol=1e-4):
        raise Broken("what it says hangs on later words")
    alone = attached.logits(**{name: tensor[:1] for name, tensor in batch().items()})
    if not torch.allclose(alone, logits[:, :1], atol=1e-4):
        raise Broken("what it says hangs on the other examples of the batch")


OPEN = (rules.identity, rules.merging, rules.counting)  # either way is right: they say what is to be declared
MUST = (looking_ahead, *(rule for rule in rules.RULES if rule not in OPEN))


def probe(made: type[PeftType]) -> Outcome:
    """Try a type on every family; what holds on all of them is said of it."""
    tried = _declaring(made, probed=True, outcome=Outcome(needs_numbers=False))
    for rule in MUST:
        for family in FAMILIES:
            try:
                Check(rule, tried, family)()
            except Broken as error:
                return Outcome(unusable=f"on {family}: {error}")
    mergeable = _keeps(rules.merging, _declaring(tried, mergeable=True))
    outcome = Outcome(
        identity_at_start=_keeps(rules.identity, _declaring(tried, identity_at_start=True)),
        mergeable=mergeable,
        needs_numbers=not _keeps(rules.counting, _declaring(tried, mergeable=mergeable)),
    )
    if outcome.needs_numbers:
        tried = _declaring(tried, mergeable=mergeable, outcome=outcome)
        outcome = outcome.model_copy(update={"counts": _counts(tried), "sizes": tried().sizes()})
    return outcome


def _declaring(made: type[PeftType], **declared: Any) -> Any:
    """The same type with other declarations."""
    return type(made.__name__, (made,), {"__module__": __name__, "__doc__": made.__doc__, **declared})


def _keeps(rule: Rule, tried: type[PeftType]) -> bool:
    try:
        for family in FAMILIES:
            Check(rule, tried, family)()
    except Broken:
        return False
    return True


def _counts(made: type[PeftType]) -> dict[str, Added]:
    """Count what a type adds to the backbones of the papers with its default sizes, on layers with random numbers."""
    found = {}
    for spec in (spec for spec in SPECS.values() if spec.hub):
        method = made.configured(spec.family, KIND, spec.name)
        all_in_all = count(method, spec, KIND, loaded=on_meta(spec, KIND))
        without = on_meta(spec, KIND)
        stored = sum(tensor.numel() for tensor in stored_tensors(without, PAPER_SUITES[KIND].visual_tokens).values())
        found[spec.name] = Added(
            trained=all_in_all.trained - all_in_all.visual_embedding,
            frozen=all_in_all.frozen_extra,
            stored=all_in_all.stored - stored,
            left=all_in_all.added_at_inference,
        )
    return found
