"""Building backbones: without weights on torch's meta device, or with weights from this machine's disk.

A hub backbone (``bart-base``) is read from a local folder or the Hugging Face cache; an embedded one
(``mini-bart``) ships with the project. Nothing is downloaded, only safetensors are read, and no code from a checkpoint
is ever run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerFast

from harness.backbones.joint import JointBackbone
from harness.backbones.specs import FAMILIES, SPECS, BackboneSpec
from harness.backbones.weights import CONFIG, TOKENIZER, WEIGHTS, WeightFiles, digest, load_tokenizer
from harness.errors import Unavailable, UserError, unknown

FILES = (CONFIG, WEIGHTS, TOKENIZER)
TOKEN_IDS = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")  # that a configuration names
ADDED_ROWS_SEED = 9595  # of the token rows that a hub backbone gains; the published code's default seed


@dataclass(frozen=True)
class LoadedBackbone:
    """A backbone with its pre-trained weights, on the CPU in float32."""

    model: JointBackbone
    tokenizer: PreTrainedTokenizerFast
    fingerprint: str  # digest of the weights, the tokenizer and the configuration


def known() -> tuple[str, ...]:
    """Names of all backbones."""
    return tuple(SPECS)


def get(name: str) -> BackboneSpec:
    """Look a backbone up by name.

    Raises:
        UserError: there is no such backbone; names the nearest ones.
    """
    if name not in SPECS:
        raise UserError(unknown("backbone", name, SPECS))
    return SPECS[name]


def on_meta(spec: BackboneSpec, kind: str, feature_width: int | None = None) -> JointBackbone:
    """Build a backbone on torch's meta device: names and shapes are real, but there are no numbers.

    ``feature_width`` defaults to that of the kind of suite in the papers.

    Raises:
        UserError: the backbone serves no suites of this kind.
        Unavailable: the configuration of an embedded backbone is not there.
    """
    if kind not in spec.feature_widths:
        kinds = ", ".join(spec.feature_widths)
        raise UserError(f"backbone {spec.name!r} serves no {kind} suites; it serves: {kinds}")
    family = FAMILIES[spec.family]
    values = dict(spec.config) if spec.embedded is None else _read_config(spec, spec.embedded)
    config = family.config(**values)
    config.vocab_size += spec.added_rows
    with torch.device("meta"):
        model = family.joint(family.build(config), feature_width or spec.feature_widths[kind])
    model.random_rows = spec.added_rows
    return model


def untrained(model: JointBackbone) -> JointBackbone:
    """A backbone of the same shape with weights drawn from torch's global generator, without a method."""
    built = type(model)(FAMILIES[model.family].build(model.lm.config), model.visual.feature_width)
    built.random_rows = model.random_rows
    return built


def missing(spec: BackboneSpec, weights: Path | None = None) -> str | None:
    """Return None if the weights are on this machine, else one sentence: what is missing, how to get it.

    ``weights`` is the folder of --weights: a backbone's files lie in the folder of its name below.
    """
    return _files(spec).missing(weights)


def fingerprint(spec: BackboneSpec, weights: Path | None = None) -> str:
    """Digest of the weights, tokenizer and configuration as they lie on disk.

    Raises:
        Unavailable: they are not there.
    """
    return _fingerprint(_files(spec).folder(weights))


def load(spec: BackboneSpec, feature_width: int, weights: Path | None = None) -> LoadedBackbone:
    """Build a backbone with pre-trained weights; dropout is on only after ``model.train()``.

    `FILES` in ``weights``/<name> come first; without them an embedded backbone is read from the project and a
    hub backbone from the Hugging Face cache.
    What is not pre-trained (a hub backbone's visual embedding; what an embedded one reads features of another width
    by) is drawn from torch's global generator; the rows of added tokens are drawn from a generator of their own, so
    they are the same in every run.

    Raises:
        Unavailable: the weights are not there.
        UserError: a file does not hold what this backbone needs.
    """
    folder = _files(spec).folder(weights)
    try:
        if spec.embedded is not None:
            model, tokenizer = _load_embedded(spec, folder, feature_width)
        else:
            model, tokenizer = _load_hub(spec, folder, feature_width)
    except (SafetensorError, RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{folder}: not the weights of {spec.name} ({reason}); replace them") from error
    return LoadedBackbone(model.eval(), tokenizer, _fingerprint(folder))


def _files(spec: BackboneSpec) -> WeightFiles:
    return WeightFiles(spec.name, spec.name, FILES, spec.embedded, spec.hub)


def _read_config(spec: BackboneSpec, folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / CONFIG).read_text("utf-8"))
    except OSError as error:
        raise Unavailable(missing(spec) or str(error)) from error
    except json.JSONDecodeError as error:
        raise UserError(f"{folder / CONFIG}: not JSON ({error}); replace the file") from error


def _load_embedded(
    spec: BackboneSpec, folder: Path, feature_width: int
) -> tuple[JointBackbone, PreTrainedTokenizerFast]:
    """Everything is in one file, the pre-trained visual embedding too; tied tensors may be stored once.

    Features of another width than it was pre-trained on are another encoder's, and their projection is not loaded.
    """
    family = FAMILIES[spec.family]
    language_model = family.build(family.config(**_read_config(spec, folder)))
    model = family.joint(language_model, feature_width)
    stored = load_file(folder / WEIGHTS)
    anew = "visual.feature." if feature_width not in spec.feature_widths.values() else ()
    stored = {name: tensor for name, tensor in stored.items() if not name.startswith(anew)}
    result = model.load_state_dict(stored, strict=False)
    here = model.state_dict()
    filled = {here[name].data_ptr() for name in stored if name in here}
    missed = [name for name in result.missing_keys if not name.startswith(anew)]
    lost = [name for name in missed if here[name].data_ptr() not in filled]
    if lost or result.unexpected_keys:
        raise RuntimeError(f"missing tensors: {lost[:3]}, unexpected tensors: {result.unexpected_keys[:3]}")
    return model, load_tokenizer(folder / TOKENIZER)


def _load_hub(spec: BackboneSpec, folder: Path, feature_width: int) -> tuple[JointBackbone, PreTrainedTokenizerFast]:
    """A published checkpoint, with the tokens of VL-BART or VL-T5 added at the end of its vocabulary."""
    family = FAMILIES[spec.family]
    found = _read_config(spec, folder).get("model_type")
    if found != family.config.model_type:  # transformers would try all the same
        raise RuntimeError(f"{CONFIG} is of model_type {found!r}, not {family.config.model_type!r}")
    tokenizer = load_tokenizer(folder / TOKENIZER)
    loaded: Any = family.model.from_pretrained(
        folder, use_safetensors=True, local_files_only=True, dtype=torch.float32, output_loading_info=True
    )
    language_model, report = loaded  # a pair, because the report on its loading was asked for
    lost = set(report["missing_keys"]) & dict(language_model.named_parameters()).keys()  # tied ones have one name
    if lost:
        raise RuntimeError(f"missing tensors: {sorted(lost)[:3]}")
    rows = language_model.config.vocab_size
    _add_tokens(tokenizer, language_model, spec.added_tokens)
    # Decoding follows the joint backbone alone: the checkpoint's own defaults (four beams, ...) go.
    ids = {name: getattr(language_model.config, name, None) for name in TOKEN_IDS}
    if ids["decoder_start_token_id"] is None:
        raise RuntimeError(f"{CONFIG} names no decoder_start_token_id")
    language_model.generation_config = GenerationConfig(**ids)
    model = family.joint(language_model, feature_width)
    model.random_rows = max(len(tokenizer) - rows, 0)
    new_rows: Tensor = language_model.get_input_embeddings().weight.detach()[rows:]
    new_rows.normal_(std=model.row_deviation, generator=torch.Generator().manual_seed(ADDED_ROWS_SEED))
    return model, tokenizer


def _add_tokens(tokenizer: PreTrainedTokenizerFast, language_model: PreTrainedModel, tokens: tuple[str, ...]) -> None:
    """Append tokens to the vocabulary and give the table one row per token: T5's spare rows go to them first.

    A head of its own gets the mean of its rows for new tokens, so that they are never the likeliest.
    """
    rows, known = language_model.config.vocab_size, len(tokenizer)
    tokenizer.add_tokens(list(tokens), special_tokens=True)
    if known > rows or len(tokenizer) != known + len(tokens):
        raise RuntimeError(f"{len(tokenizer)} tokens after adding {len(tokens)} to {known}, which have {rows} rows")
    # Resizing puts the token table into the head's place, unless the configuration says that it is not there.
    tied = language_model.get_output_embeddings().weight is language_model.get_input_embeddings().weight
    language_model.config.tie_word_embeddings = tied
    language_model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    if not tied:
        head = language_model.get_output_embeddings().weight.detach()
        head[rows:] = head[:rows].mean(dim=0)


def _fingerprint(folder: Path) -> str:
    return sha256(" ".join(digest(folder / name) for name in FILES).encode()).hexdigest()
