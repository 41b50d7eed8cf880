"""What a cell's method trained, in a safetensors file with the cell's configuration in its header.

The file holds what `harness.parameters.stored_tensors` lists; all else comes from the backbone's own weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from harness import parameters
from harness.backbones.joint import JointBackbone
from harness.cells import Cell
from harness.errors import UserError

CELL = "cell"  # key of the configuration in the file's header
SHOWN = 5  # names listed in an error


def stored(model: JointBackbone, kind: str) -> dict[str, Tensor]:
    """Copy to the CPU, by name, what must be stored of a model on a kind of suite."""
    tensors = _expected(model, kind)
    return {name: tensor.to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}


def to_bytes(tensors: Mapping[str, Tensor], cell: Cell) -> bytes:
    """The content of ``weights.safetensors``."""
    return save(dict(tensors), metadata={CELL: cell.model_dump_json()})


def load(path: Path, model: JointBackbone) -> Cell:
    """Read a file's tensors into a model built and attached as its cell says; return that cell.

    Raises:
        UserError: the file is missing or broken, or its names and shapes are not exactly what the model
        needs.
    """
    cell = read_cell(path)
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
    expected = _expected(model, cell.kind)
    both = expected.keys() & tensors.keys()
    differences = {
        "missing": expected.keys() - tensors.keys(),
        "not in the model": tensors.keys() - expected.keys(),
        "of another shape": [name for name in both if expected[name].shape != tensors[name].shape],
    }
    problems = [f"{what}: {_some(names)}" for what, names in differences.items() if names]
    if problems:
        raise UserError(f"{path}: does not fit the model of its cell ({'; '.join(problems)})")
    with torch.no_grad():
        for name, tensor in expected.items():
            tensor.copy_(tensors[name])
    return cell


def read_cell(path: Path) -> Cell:
    """Read the configuration in a file's header: what is needed to build the model that its tensors fit.

    Raises:
        UserError: the file is missing or broken.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return Cell.model_validate_json((file.metadata() or {}).get(CELL, ""))
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: cannot be read ({error}); run the cell again") from error
    except ValidationError as error:
        raise UserError(f"{path}: its header holds no cell; only files of this project can be read") from error


def _expected(model: JointBackbone, kind: str) -> dict[str, Tensor]:
    return parameters.stored_tensors(model, parameters.PAPER_SUITES[kind].visual_tokens)


def _some(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - SHOWN} more" if len(ordered) > SHOWN else ""
    return ", ".join(ordered[:SHOWN]) + more
