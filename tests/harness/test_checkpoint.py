"""Trained weights on disk: what is written comes back, and nothing else is accepted."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from small_world import Everything, bench

from harness import checkpoint
from harness.cells import Cell, Settings
from harness.errors import UserError
from methods import Method

CELL = Cell(
    suite="small",
    kind="image-text",
    tasks=("small-colour",),
    backbone="small",
    method="everything",
    parameters={"learning_rate": 0.003},
    seed=3,
    settings=Settings(),
)


class Nothing(Method):
    name = "nothing"
    title = "Nothing but the visual embedding"

    def attach(self, model, context):
        pass


def write(path, work, cell=CELL):
    path.write_bytes(checkpoint.to_bytes(checkpoint.stored(work.model, cell.kind), cell))
    return path


@pytest.mark.parametrize("method", [Everything(), Nothing()])
def test_trained_weights_come_back_with_their_cell(tmp_path, method):
    work, other = bench(method), bench(method)
    with torch.no_grad():
        for parameter in work.model.parameters():
            if parameter.requires_grad:
                parameter.add_(1)
    path = write(tmp_path / "weights.safetensors", work)
    assert checkpoint.load(path, other.model) == CELL
    pairs = zip(work.model.parameters(), other.model.parameters(), strict=True)
    assert all(torch.equal(one, two) for one, two in pairs)


def test_token_rows_that_no_published_file_holds_travel_with_the_trained_weights(tmp_path):
    work, other = bench(Nothing()), bench(Nothing())
    for model in (work.model, other.model):
        model.random_rows = 3
    tables = [model.lm.get_input_embeddings().weight for model in (work.model, other.model)]
    tables[0].data += 1
    path = write(tmp_path / "weights.safetensors", work)
    checkpoint.load(path, other.model)
    assert torch.equal(tables[0][-3:], tables[1][-3:])
    assert not torch.isclose(tables[0][:-3], tables[1][:-3]).any()


def test_only_what_trains_is_stored():
    work = bench(Nothing())
    assert all(name.startswith("visual.") for name in checkpoint.stored(work.model, "image-text"))


def test_stored_tensors_are_copies():
    work = bench(Nothing())
    stored = checkpoint.stored(work.model, "image-text")
    before = {name: tensor.clone() for name, tensor in stored.items()}
    torch.nn.init.zeros_(work.model.visual.feature[0].weight)
    assert all(torch.equal(stored[name], before[name]) for name in stored)


def test_differences_are_listed(tmp_path):
    path = write(tmp_path / "weights.safetensors", bench(Nothing()))
    with pytest.raises(UserError, match=r"weights.safetensors.*missing: lm\..* and \d+ more"):
        checkpoint.load(path, bench(Everything()).model)
    path = write(tmp_path / "weights.safetensors", bench(Everything()))
    with pytest.raises(UserError, match=r"weights.safetensors.*not in the model: lm\."):
        checkpoint.load(path, bench(Nothing()).model)


def test_other_shapes_are_refused(tmp_path):
    work = bench(Nothing())
    tensors = checkpoint.stored(work.model, "image-text")
    name = next(iter(tensors))
    tensors[name] = torch.zeros(7)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(checkpoint.to_bytes(tensors, CELL))
    with pytest.raises(UserError, match=f"of another shape: {name}"):
        checkpoint.load(path, work.model)


def test_broken_and_foreign_files_are_named(tmp_path):
    path = write(tmp_path / "weights.safetensors", bench(Nothing()))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"weights.safetensors"):
        checkpoint.read_cell(path)
    with pytest.raises(UserError, match="absent"):
        checkpoint.read_cell(tmp_path / "absent.safetensors")
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="holds no cell"):
        checkpoint.read_cell(path)
