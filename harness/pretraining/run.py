"""Runs the stages one after another; a killed run continues where its last checkpoint stands."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from harness.backbones.vision import EMBEDDED, patch_features
from harness.environment import environment
from harness.errors import UserError
from harness.exclusive import Machine
from harness.pretraining.stages import ImageStage, JointStage, LanguageStage, QuestionStage, Stage
from harness.pretraining.tokeniser import train_tokenizer
from harness.run_folder import make_folder, write_atomically

TOKENIZER = Path("mini-bart") / "tokenizer.json"
EVERY = 200  # steps between checkpoints and between entries of the loss curve
CLIP_NORM = 1.0
WARMUP_SHARE = 0.05

Report = Callable[[str], None]


def pretrain(
    output: Path,
    work: Path,
    english: Sequence[Path] = (),
    device: str = "cpu",
    seed: int = 0,
    steps_share: float = 1.0,
    report: Report = lambda line: None,
) -> None:
    """Train tokenizer (when ``english`` files are given), image encoder and language model; write the embedded files.

    Args:
        output: folder that gets mini-clip/, mini-bart/ and training_record.json.
        work: folder of checkpoints; the same command continues from them.
        english: JSON files of questions or captions for the tokenizer; without them the shipped tokenizer is kept.
        device: "cpu" or "cuda".
        seed: of initialisation and dropout; the data of a step depends on its number alone.
        steps_share: of every stage's steps, to try the command out.
        report: gets a line of progress now and then.

    Raises:
        UserError: a file cannot be read or written.
    """
    staged = work / "output"
    for folder in (staged / "mini-bart", staged / "mini-clip", output / "mini-bart", output / "mini-clip"):
        make_folder(folder)
    record: dict[str, Any] = {"seed": seed, "stages": {}}
    tokenizer_text = _tokenizer_text(english, output, record)
    write_atomically(staged / TOKENIZER, tokenizer_text)
    tokenizer = load_tokenizer(staged / TOKENIZER)
    identity = {"seed": seed, "tokenizer": hashlib.sha256(tokenizer_text.encode()).hexdigest()}

    def run(build: Callable[[], Stage]) -> Stage:
        torch.manual_seed(seed)
        stage = build()
        steps = max(1, round(stage.steps * steps_share))
        record["stages"][stage.name] = train(stage, steps, work, device, identity, report)
        return stage

    image = run(lambda: ImageStage(tokenizer))
    assert isinstance(image, ImageStage)
    language = run(lambda: LanguageStage(tokenizer))

    def encode(pixels: Tensor) -> Tensor:
        with torch.no_grad():
            return patch_features(image.vision.eval(), pixels)

    def continued(kind: type[JointStage], earlier: Stage) -> Stage:
        stage = kind(tokenizer, encode)
        stage.model.load_state_dict(earlier.model.state_dict())
        return stage

    joint = run(lambda: continued(JointStage, language))
    final = run(lambda: continued(QuestionStage, joint))
    assert isinstance(final, QuestionStage)
    image.vision.save_pretrained(staged / "mini-clip")
    save_language(final, staged / "mini-bart")
    record["environment"] = environment()
    write_atomically(staged / "training_record.json", json.dumps(record, indent=1) + "\n")
    # Everything at once and last: a stopped run must not leave the encoder of one run beside the language of another.
    for path in sorted(file for file in staged.rglob("*") if file.is_file()):
        write_atomically(output / path.relative_to(staged), path.read_bytes())


def _tokenizer_text(english: Sequence[Path], output: Path, record: dict[str, Any]) -> str:
    """Train a tokenizer when there is text for it; else take the one that is there, or the shipped one."""
    if english:
        text = train_tokenizer(english).to_str(pretty=False)
        record["tokenizer"] = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in english}
        return text
    there = output / TOKENIZER
    return (there if there.is_file() else EMBEDDED / TOKENIZER).read_text(encoding="utf-8")


def train(
    stage: Stage,
    steps: int,
    work: Path,
    device: str,
    identity: dict[str, Any],
    report: Report,
    total: int | None = None,
) -> dict[str, Any]:
    """Train one stage up to a step of ``total`` (the last) and return its record: curve, held-out accuracies, time."""
    total = total or steps
    identity = identity | {"steps": total}
    stage.model.to(device).train()
    optimiser = torch.optim.AdamW(
        stage.model.parameters(), lr=stage.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    done, curve, seconds = restore(stage, optimiser, work / stage.name, identity)
    started, recent = time.monotonic() - seconds, []
    machine = Machine()
    with machine.shared():
        for step in range(done, steps):
            machine.give_way()  # to cells that measure their speed
            recent.append(_step(stage, optimiser, step, total, identity["seed"]))
            if (step + 1) % EVERY == 0 or step + 1 == steps:
                curve.append([step + 1, round(sum(recent) / len(recent), 4)])
                recent = []
                elapsed = time.monotonic() - started
                save(
                    stage,
                    optimiser,
                    work / stage.name,
                    identity | {"step": step + 1, "curve": curve, "seconds": elapsed},
                )
                left = elapsed / (step + 1) * (steps - step - 1)
                report(f"{stage.name}: step {step + 1}/{steps}, loss {curve[-1][1]:.3f}, {left / 60:.0f} min left")
        stage.model.eval()
        held_out = {kind: round(value, 4) for kind, value in stage.held_out().items()}
    report(f"{stage.name}: held out {held_out}")
    return {
        "steps": steps,
        "batch_size": stage.batch_size,
        "learning_rate": stage.learning_rate,
        "seconds": round(time.monotonic() - started),
        "losses": curve,
        "held_out": held_out,
    }


def _step(stage: Stage, optimiser: torch.optim.Optimizer, step: int, total: int, seed: int) -> float:
    """Learn from the batch of a step and return its loss; the rate goes linearly up, then down to 0 at ``total``."""
    warm = max(1, int(WARMUP_SHARE * total))
    rate = min(step / warm, (total - step) / max(1, total - warm))
    for group in optimiser.param_groups:
        group["lr"] = stage.learning_rate * rate
    torch.manual_seed(seed * 1_000_003 + step)  # dropout: the same after a restart
    loss = stage.loss(step)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(stage.model.parameters(), CLIP_NORM)
    optimiser.step()
    return loss.item()


def save(stage: Stage, optimiser: torch.optim.Optimizer, folder: Path, facts: dict[str, Any]) -> None:
    """Write a checkpoint: model, optimiser and facts (step, curve, seconds, identity) in one safetensors file."""
    make_folder(folder)
    tensors = {f"model.{name}": value.contiguous().clone() for name, value in stage.model.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": value for name, value in state.items()}
    target = folder / "checkpoint.safetensors"
    partial = folder / "checkpoint.partial"
    save_file(tensors, partial, metadata={"facts": json.dumps(facts)})
    partial.replace(target)


def restore(
    stage: Stage, optimiser: torch.optim.Optimizer, folder: Path, identity: dict[str, Any]
) -> tuple[int, list[Any], float]:
    """Load the stage's checkpoint if there is one -> (steps done, curve, seconds used).

    Raises:
        UserError: it is broken, or belongs to a pre-training with another seed, length or tokenizer.
    """
    path = folder / "checkpoint.safetensors"
    if not path.is_file():
        return 0, [], 0.0
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads(file.metadata()["facts"])
        tensors = load_file(path)
    except Exception as error:  # the library raises many kinds for broken files
        raise UserError(f"{path}: not a checkpoint of this pre-training ({error}); delete it to start anew") from error
    other = [name for name, value in identity.items() if facts.get(name) != value]
    if other:
        raise UserError(f"{path}: from a pre-training with another {other[0]}; delete it or choose another --work")
    stage.model.load_state_dict(_below(tensors, "model."))
    states: dict[int, dict[str, Tensor]] = {}
    for name, value in _below(tensors, "optimiser.").items():
        index, field = name.split(".", 1)
        states.setdefault(int(index), {})[field] = value
    optimiser.load_state_dict({"state": states, "param_groups": optimiser.state_dict()["param_groups"]})
    return facts["step"], facts["curve"], facts["seconds"]


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def load_tokenizer(path: Path) -> PreTrainedTokenizerFast:
    """Read a tokenizer file with BART's special tokens."""
    return PreTrainedTokenizerFast(
        tokenizer_file=str(path),
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
    )


def save_language(stage: LanguageStage, folder: Path) -> None:
    """Write config.json and model.safetensors: the language model below "lm.", the visual embedding below "visual."."""
    folder.mkdir(parents=True, exist_ok=True)
    tied = {
        "lm.lm_head.weight",
        "lm.model.encoder.embed_tokens.weight",
        "lm.model.decoder.embed_tokens.weight",
    }
    tensors = {
        name: value.detach().cpu().contiguous() for name, value in stage.joint.state_dict().items() if name not in tied
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    write_atomically(folder / "config.json", stage.joint.lm.config.to_json_string())
