"""Runs the stages one after another; a killed run continues where its last checkpoint stands."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPVisionModel, PreTrainedTokenizerFast

from harness.backbones.vision import EMBEDDED, patch_features
from harness.environment import environment
from harness.errors import UserError
from harness.pretraining.stages import ImageStage, JointStage, LanguageStage, Stage
from harness.pretraining.tokeniser import train_tokenizer
from harness.run_folder import write_atomically

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
    work.mkdir(parents=True, exist_ok=True)
    record: dict[str, Any] = {"seed": seed, "stages": {}}
    tokenizer_file = output / "mini-bart" / "tokenizer.json"
    tokenizer_file.parent.mkdir(parents=True, exist_ok=True)
    if english:
        record["tokenizer"] = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in english}
        write_atomically(tokenizer_file, train_tokenizer(english).to_str(pretty=False))
    elif not tokenizer_file.is_file():
        shipped = EMBEDDED / "mini-bart" / "tokenizer.json"
        write_atomically(tokenizer_file, shipped.read_text(encoding="utf-8"))
    tokenizer = load_tokenizer(tokenizer_file)

    def run(build: Callable[[], Stage]) -> Stage:
        torch.manual_seed(seed)
        stage = build()
        steps = max(1, round(stage.steps * steps_share))
        record["stages"][stage.name] = train(stage, steps, work, device, seed, report)
        return stage

    image = run(lambda: ImageStage(tokenizer))
    assert isinstance(image, ImageStage)
    save_vision(image.vision, output / "mini-clip")
    language = run(lambda: LanguageStage(tokenizer))

    def continued() -> Stage:
        stage = JointStage(tokenizer, torch.no_grad()(lambda pixels: patch_features(image.vision.eval(), pixels)))
        stage.model.load_state_dict(language.model.state_dict())
        return stage

    joint = run(continued)
    assert isinstance(joint, JointStage)
    save_language(joint, output / "mini-bart")
    record["environment"] = environment()
    write_atomically(output / "training_record.json", json.dumps(record, indent=1) + "\n")


def train(
    stage: Stage, steps: int, work: Path, device: str, seed: int, report: Report, total: int | None = None
) -> dict[str, Any]:
    """Train one stage up to a step of ``total`` (the last) and return its record: curve, held-out accuracies, time."""
    total = total or steps
    stage.model.to(device).train()
    optimiser = torch.optim.AdamW(
        stage.model.parameters(), lr=stage.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    done, curve, seconds = restore(stage, optimiser, work / stage.name)
    started, recent = time.monotonic() - seconds, []
    for step in range(done, steps):
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
        recent.append(loss.item())
        if (step + 1) % EVERY == 0 or step + 1 == steps:
            curve.append([step + 1, round(sum(recent) / len(recent), 4)])
            recent = []
            elapsed = time.monotonic() - started
            save(stage, optimiser, work / stage.name, step + 1, curve, elapsed)
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


def save(
    stage: Stage, optimiser: torch.optim.Optimizer, folder: Path, step: int, curve: list[Any], seconds: float
) -> None:
    """Write a checkpoint: model, optimiser and curve in one safetensors file."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"model.{name}": value.contiguous().clone() for name, value in stage.model.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": value for name, value in state.items()}
    facts = {"step": step, "curve": curve, "seconds": seconds}
    target = folder / "checkpoint.safetensors"
    partial = folder / "checkpoint.partial"
    save_file(tensors, partial, metadata={"facts": json.dumps(facts)})
    partial.replace(target)


def restore(stage: Stage, optimiser: torch.optim.Optimizer, folder: Path) -> tuple[int, list[Any], float]:
    """Load the stage's checkpoint if there is one -> (steps done, curve, seconds used)."""
    path = folder / "checkpoint.safetensors"
    if not path.is_file():
        return 0, [], 0.0
    from safetensors import safe_open

    try:
        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            facts = json.loads(file.metadata()["facts"])
        stage.model.load_state_dict(_below(tensors, "model."))
    except Exception as error:  # the library raises many kinds for broken files
        raise UserError(f"{path}: not a checkpoint of this pre-training ({error}); delete it to start anew") from error
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


def save_vision(model: CLIPVisionModel, folder: Path) -> None:
    """Write the image encoder as transformers does."""
    model.save_pretrained(folder, safe_serialization=True)


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
