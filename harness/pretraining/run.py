"""Runs the stages one after another; a killed run continues where its last checkpoint stands."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from harness.backbones.vision import patch_features
from harness.backbones.weights import EMBEDDED, load_tokenizer
from harness.environment import environment
from harness.errors import UserError
from harness.exclusive import Machine
from harness.pretraining.image import ImageStage
from harness.pretraining.muon import Muon
from harness.pretraining.stage import Stage
from harness.pretraining.stages import BoxStage, JointStage, LanguageStage, ViewStage
from harness.pretraining.tokeniser import english_strings, train_tokenizer
from harness.run_folder import make_folder, write_atomically

TOKENIZER = Path("mini-bart") / "tokenizer.json"
EVERY = 200  # steps between checkpoints and between entries of the loss curve
CLIP_NORM = 1.0
WARMUP_SHARE = 0.05
WEIGHT_DECAY = 0.01
SENTENCE = 4  # words; shorter strings are answers

Report = Callable[[str], None]
Precision = Literal["float32", "bfloat16"]


def pretrain(
    output: Path,
    work: Path,
    english: Sequence[Path] = (),
    device: str = "cpu",
    seed: int = 0,
    precision: Precision = "float32",
    steps_share: float = 1.0,
    report: Report = lambda line: None,
) -> None:
    """Train tokenizer (when ``english`` files are given), image encoder and language model; write the embedded files.

    Args:
        output: folder that gets mini-clip/, mini-bart-text/, mini-bart/ and training_record.json.
        work: folder of checkpoints; the same command continues from them.
        english: JSON files of questions or captions for the tokenizer and for sentences with gaps; without them the
            shipped tokenizer is kept and no English is learnt.
        device: "cpu" or "cuda".
        seed: of initialisation; the data of a step depends on its number alone.
        precision: of matrix products; "bfloat16" is twice as fast where the processor computes in it.
        steps_share: of every stage's steps, to try the command out.
        report: gets a line of progress now and then.

    Raises:
        UserError: a file cannot be read or written.
    """
    staged = work / "output"
    for name in ("mini-clip", "mini-bart-text", "mini-bart"):
        make_folder(staged / name)
        make_folder(output / name)
    record: dict[str, Any] = {"seed": seed, "stages": {}}
    texts = [text for path in english for text in english_strings(path)]
    tokenizer_text = _tokenizer_text(english, texts, output, record)
    write_atomically(staged / TOKENIZER, tokenizer_text)
    tokenizer = load_tokenizer(staged / TOKENIZER)
    sentences = [text for text in texts if len(text.split()) >= SENTENCE]
    tokenizer_digest = hashlib.sha256(tokenizer_text.encode()).hexdigest()
    identity = {"seed": seed, "precision": precision, "tokenizer": tokenizer_digest}

    def run(build: Callable[[], Stage], **more: Any) -> Stage:
        torch.manual_seed(seed)
        stage = build()
        steps = max(1, round(stage.steps * steps_share))
        record["stages"][stage.name] = more | train(stage, steps, work, device, identity | more, report)
        return stage

    image = run(lambda: ImageStage(tokenizer))
    assert isinstance(image, ImageStage)
    language = run(lambda: LanguageStage(tokenizer, sentences), sentences=len(sentences))

    def encode(pixels: Tensor) -> Tensor:
        with torch.no_grad(), torch.autocast(pixels.device.type, enabled=False):  # as the features of tasks
            return patch_features(image.vision.eval(), pixels)

    def continued(kind: type[JointStage], previous: Stage) -> JointStage:
        stage = kind(tokenizer, encode, sentences)
        stage.model.load_state_dict(previous.model.state_dict())
        return stage

    joint = run(lambda: continued(JointStage, language), sentences=len(sentences))
    boxed = run(lambda: continued(BoxStage, joint), sentences=len(sentences))
    last = run(lambda: continued(ViewStage, boxed), sentences=len(sentences))
    image.vision.save_pretrained(staged / "mini-clip")
    for stage, name in ((language, "mini-bart-text"), (last, "mini-bart")):
        assert isinstance(stage, LanguageStage)
        save_language(stage, staged / name)
        write_atomically(staged / name / "tokenizer.json", tokenizer_text)
    write_atomically(staged / "training_record.json", json.dumps(record, indent=1) + "\n")
    # Everything at once and last: a stopped run must not leave the encoder of one run beside the language of another.
    for path in sorted(file for file in staged.rglob("*") if file.is_file()):
        write_atomically(output / path.relative_to(staged), path.read_bytes())


def _tokenizer_text(english: Sequence[Path], texts: Sequence[str], output: Path, record: dict[str, Any]) -> str:
    """Train a tokenizer when files give text for it; else take the one that is there, or the shipped one."""
    if english:
        text = train_tokenizer(texts).to_str(pretty=False)
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
    optimisers = _optimisers(stage)
    done, curve, seconds = restore(stage, optimisers, work / stage.name, identity)
    started, recent = time.monotonic() - seconds, []
    machine = Machine()
    with machine.shared():
        for step in range(done, steps):
            machine.give_way()  # to cells that measure their speed
            recent.append(_step(stage, optimisers, step, total, identity))
            if (step + 1) % EVERY == 0 or step + 1 == steps:
                curve.append([step + 1, round(sum(recent) / len(recent), 4)])
                recent = []
                elapsed = time.monotonic() - started
                save(
                    stage,
                    optimisers,
                    work / stage.name,
                    identity | {"step": step + 1, "curve": curve, "seconds": elapsed},
                )
                left = elapsed / (step + 1) * (steps - step - 1)
                report(f"{stage.name}: step {step + 1}/{steps}, loss {curve[-1][1]:.3f}, {left / 60:.0f} min left")
        stage.model.eval()
        held_out = {kind: round(value, 4) for kind, value in stage.held_out().items()}
    report(f"{stage.name}: held out {held_out}")
    return {
        "environment": environment(),
        "precision": identity["precision"],
        "steps": steps,
        "batch_size": stage.batch_size,
        "learning_rate": stage.learning_rate,
        "matrix_learning_rate": stage.matrix_learning_rate if stage.matrices() else None,
        "seconds": round(time.monotonic() - started),
        "losses": curve,
        "held_out": held_out,
    }


def _optimisers(stage: Stage) -> list[Optimizer]:
    """AdamW, and Muon for the stage's matrices: with it, finding things by their looks is learnt in half the steps."""
    matrices = stage.matrices()
    chosen = {id(matrix) for matrix in matrices}
    rest = [parameter for parameter in stage.model.parameters() if id(parameter) not in chosen]
    adam = torch.optim.AdamW(rest, lr=stage.learning_rate, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY)
    if not matrices:
        return [adam]
    return [adam, Muon(matrices, stage.matrix_learning_rate, WEIGHT_DECAY)]


def _step(stage: Stage, optimisers: Sequence[Optimizer], step: int, total: int, identity: Mapping[str, Any]) -> float:
    """Learn from the batch of a step and return its loss; the rate goes linearly up, then down to 0 at ``total``."""
    warm = max(1, int(WARMUP_SHARE * total))
    rate = min(step / warm, (total - step) / max(1, total - warm))
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group.setdefault("initial_lr", group["lr"])
            group["lr"] = group["initial_lr"] * rate
    with torch.autocast(stage.device.type, torch.bfloat16, enabled=identity["precision"] == "bfloat16"):
        loss = stage.loss(step)
    stage.model.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(stage.model.parameters(), CLIP_NORM)
    for optimiser in optimisers:
        optimiser.step()
    return loss.item()


def save(stage: Stage, optimisers: Sequence[Optimizer], folder: Path, facts: dict[str, Any]) -> None:
    """Write a checkpoint: model, optimisers and facts (step, curve, seconds, identity) in one safetensors file."""
    make_folder(folder)
    tensors = {f"model.{name}": value.contiguous().clone() for name, value in stage.model.state_dict().items()}
    for number, optimiser in enumerate(optimisers):
        for index, state in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{index}.{name}": value for name, value in state.items()}
    target = folder / "checkpoint.safetensors"
    partial = folder / "checkpoint.partial"
    save_file(tensors, partial, metadata={"facts": json.dumps(facts)})
    partial.replace(target)


def restore(
    stage: Stage, optimisers: Sequence[Optimizer], folder: Path, identity: dict[str, Any]
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
    for number, optimiser in enumerate(optimisers):
        states: dict[int, dict[str, Tensor]] = {}
        for name, value in _below(tensors, f"optimiser.{number}.").items():
            index, field = name.split(".", 1)
            states.setdefault(int(index), {})[field] = value
        optimiser.load_state_dict({"state": states, "param_groups": optimiser.state_dict()["param_groups"]})
    return facts["step"], facts["curve"], facts["seconds"]


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


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
    config = stage.joint.lm.config.to_dict()
    write_atomically(folder / "config.json", json.dumps(config, indent=2, sort_keys=True) + "\n")
