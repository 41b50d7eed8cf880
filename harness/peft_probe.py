"""What a type of peft does on encoder-decoders, found by building, training, decoding and folding small ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from harness.backbones import SPECS, JointBackbone, on_meta
from harness.backbones.specs import FAMILIES
from harness.parameters import PAPER_SUITES, count, stored_tensors
from methods import TaskContext
from methods.base import Added
from methods.peft_bridge import fold
from methods.peft_outcomes import Outcome
from methods.peft_types import PeftType

KIND = "image-text"
TASKS = ("first", "second")
VOCABULARY, FEATURES, STEPS, RATE = 99, 12, 3, 0.02
CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "bart": {
        "vocab_size": VOCABULARY,
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 48,
        "decoder_ffn_dim": 48,
        "max_position_embeddings": 64,
        "dropout": 0.0,
    },
    "t5": {
        "vocab_size": VOCABULARY,
        "d_model": 32,
        "d_kv": 8,
        "d_ff": 48,
        "num_layers": 2,
        "num_heads": 4,
        "dropout_rate": 0.0,
        "decoder_start_token_id": 0,
    },
}


class _Unusable(Exception):
    """Something that a method must do does not happen."""


def probe(made: type[PeftType]) -> Outcome:
    """Try a type on every family; what holds on all of them is said of it."""
    on_meta_device = {"__module__": __name__, "probed": True, "outcome": Outcome(needs_numbers=False)}
    tried: Any = type(made.__name__, (made,), on_meta_device)
    found = []
    for family in FAMILIES:
        method = tried.configured(family, KIND, "mini-bart")
        try:
            found.append(_Trial(method, family).outcome())
        except Exception as error:
            reason = str(error) if isinstance(error, _Unusable) else f"{type(error).__name__}: {error}"
            return Outcome(unusable=" ".join(f"on {family}: {reason}".split()))
    outcome = Outcome(
        identity_at_start=all(each.identity_at_start for each in found),
        mergeable=all(each.mergeable for each in found),
        needs_numbers=any(each.needs_numbers for each in found),
    )
    if outcome.needs_numbers:
        tried.mergeable, tried.outcome = outcome.mergeable, outcome
        outcome = outcome.model_copy(update={"counts": _counts(tried), "sizes": tried().sizes()})
    return outcome


@dataclass
class _Trial:
    """One method on one family."""

    method: PeftType
    family: str

    def outcome(self) -> Outcome:
        """Everything about it.

        Raises:
            Exception: it does not work.
        """
        plain, self.model, self.context = self._plain(), self._plain(), TaskContext(TASKS)
        self.method.attach(self.model, self.context)
        same = torch.allclose(self._logits(self.model), self._logits(plain), atol=1e-5)
        self._learn()
        if not self._logits(self.model).isfinite().all():
            raise _Unusable("its outputs are no numbers after three steps")
        self._look_ahead()
        if not torch.equal(self._words(use_cache=True), self._words(use_cache=False)):
            raise _Unusable("it decodes other words with a cache of keys and values than without")
        return Outcome(identity_at_start=same, mergeable=self._folds(plain), needs_numbers=not self._fits_on_meta())

    def _plain(self) -> JointBackbone:
        """The backbone without a method, its biases and norms away from 0 and 1; the same at every call."""
        with torch.random.fork_rng():
            torch.manual_seed(1)
            family = FAMILIES[self.family]
            model = family.joint(family.build(family.config(**CONFIGS[self.family])), FEATURES)
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.add_(0.2 * torch.randn_like(parameter))
        return model

    @staticmethod
    def _batch() -> dict[str, Tensor]:
        random = torch.Generator().manual_seed(3)
        return {
            "ids": torch.randint(4, VOCABULARY, (3, 7), generator=random),
            "mask": torch.ones(3, 7, dtype=torch.long),
            "features": torch.randn(3, 2, 5, FEATURES, generator=random),
        }

    @torch.no_grad()
    def _logits(self, model: JointBackbone) -> Tensor:
        with self.context.on(TASKS[0]):
            return model(**self._batch(), labels=self._batch()["ids"])

    def _learn(self) -> None:
        trained = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        optimiser = torch.optim.AdamW(trained.values(), RATE)
        self.model.train()
        for _ in range(STEPS):
            optimiser.zero_grad()
            for task in TASKS:
                with self.context.on(task):
                    logits = self.model(**self._batch(), labels=self._batch()["ids"])
                    cross_entropy(logits.flatten(0, 1), self._batch()["ids"].flatten()).backward()
            optimiser.step()
        self.model.eval()
        # Boxes are zero, so their weight learns nothing.
        idle = [
            n for n, p in trained.items() if (p.grad is None or not p.grad.any()) and not n.endswith("box.0.weight")
        ]
        if idle:
            raise _Unusable(f"no gradient reaches {idle[0]}")

    @torch.no_grad()
    def _look_ahead(self) -> None:
        """Outputs must hang neither on later words nor on the batch's other examples, as decoding has neither."""
        labels, logits = self._batch()["ids"], self._logits(self.model)
        with self.context.on(TASKS[0]):
            other = self.model(**self._batch(), labels=torch.cat([labels[:, :-2], labels[:, :2]], dim=1))
            alone = self.model(**{name: values[:1] for name, values in self._batch().items()}, labels=labels[:1])
        if not torch.allclose(other[:, :-2], logits[:, :-2], atol=1e-4):
            raise _Unusable("what it says hangs on later words")
        if not torch.allclose(alone, logits[:1], atol=1e-4):
            raise _Unusable("what it says hangs on the other examples of the batch")

    @torch.no_grad()
    def _words(self, use_cache: bool) -> Tensor:
        with self.context.on(TASKS[1]):
            states, mask = self.model.encode(**self._batch())
            return self.model.lm.generate(  # type: ignore[operator]
                encoder_outputs=states,
                attention_mask=mask,
                num_beams=3,
                max_length=8,
                do_sample=False,
                use_cache=use_cache,
            )

    def _folds(self, plain: JointBackbone) -> bool:
        before = self._logits(self.model)
        try:
            fold(self.model)
        except Exception:
            return False
        same = torch.allclose(self._logits(self.model), before, atol=1e-4, rtol=1e-4)
        return same and self.model.state_dict().keys() == plain.state_dict().keys()

    def _fits_on_meta(self) -> bool:
        try:
            with torch.device("meta"):
                family = FAMILIES[self.family]
                model = family.joint(family.build(family.config(**CONFIGS[self.family])), FEATURES)
                self.method.attach(model, TaskContext(TASKS))
        except Exception:
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
