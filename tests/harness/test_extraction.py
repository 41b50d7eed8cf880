"""Extraction of a folder's features: one file, whatever happens on the way, and a command that tells what it did."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from harness import extraction
from harness.backbones.vision import EncoderSpec, ImageEncoder
from harness.cli.program import invoke
from harness.errors import NothingMatched, UserError
from harness.extraction import Work, extract
from tasks import DataError
from tasks.features import FeatureFile

PICTURES = 11


def encoder(fingerprint: str = "weights 1", read=None, slow: float = 0.0) -> ImageEncoder:
    """Features are the means of 6 × 6 squares of 8 × 8 pixels, by colour, through a linear layer of fixed weights."""
    mix = torch.linspace(-1, 1, 12).view(3, 4)

    def means(pixels):
        time.sleep(slow)
        return pixels.unfold(2, 8, 8).unfold(3, 8, 8).mean((4, 5)).flatten(2).transpose(1, 2) @ mix

    return ImageEncoder(EncoderSpec("tiny", "Tiny", 4, -1), torch.nn.Identity(), 48, read or means, fingerprint)


@pytest.fixture
def photos(tmp_path) -> Path:
    """Generated photos of several forms, in two folders."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for number in range(PICTURES):
        draw(folder / ("more" if number % 3 == 0 else "") / f"{number:03}.{'png' if number % 2 else 'JPG'}", number)
    (folder / "list.txt").write_text("no picture")
    return folder


def draw(path: Path, seed: int) -> None:
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 255, (*generator.integers(3, 9, 2), 3), dtype=np.uint8)
    Image.fromarray(np.kron(small, np.ones((10, 10, 1), np.uint8))).save(
        path, "PNG" if path.suffix == ".png" else "JPEG"
    )


def stem_paths(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in folder.rglob("*.*") if path.suffix != ".txt"}


@pytest.mark.parametrize("work", [Work(batch_size=4), Work(batch_size=3, workers=2)], ids=["alone", "two workers"])
def test_a_file_holds_the_features_of_every_picture_below_the_folder(photos, tmp_path, work):
    told = []
    made = extract(encoder(), photos, tmp_path / "out" / "f.safetensors", work, lambda *state: told.append(state))
    assert (made.encoded, made.index.broken) == (PICTURES, ())
    assert [state[1:] for state in told] == [(done, PICTURES) for done in range(1, PICTURES + 1)]
    source = FeatureFile(tmp_path / "out" / "f.safetensors")
    assert (source.encoder, source.tokens, source.width) == ("tiny", 36, 4)
    assert sorted(source.names) == [f"{number:03}" for number in range(PICTURES)]
    for name, path in stem_paths(photos).items():
        wanted = encoder().encode([Image.open(path).convert("RGB")])[0].half().numpy()
        np.testing.assert_allclose(source.read(name), wanted, atol=2e-3)  # the sums of other batches round otherwise
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["f.safetensors"]


def test_the_file_is_mapped_and_other_programs_read_it(photos, tmp_path):
    extract(encoder(), photos, tmp_path / "f.safetensors")
    source = FeatureFile(tmp_path / "f.safetensors")
    row = source.read("004")
    assert isinstance(row, np.memmap) and not row.flags.owndata and row.dtype == np.float16
    tensor = load_file(tmp_path / "f.safetensors")["features"]
    assert tensor.shape == (PICTURES, 36, 4) and (tensor[4] == row).all()


def extract_slowly(photos, output):
    extract(encoder(slow=0.05), photos, output, Work(batch_size=2))


def test_after_a_kill_the_same_command_goes_on_and_the_file_is_the_same(photos, tmp_path):
    whole, killed = tmp_path / "whole.safetensors", tmp_path / "killed.safetensors"
    extract(encoder(), photos, whole, Work(batch_size=2))
    process = multiprocessing.get_context("fork").Process(target=extract_slowly, args=(photos, killed))
    process.start()
    part, deadline = Path(f"{killed}.part"), time.monotonic() + 60
    header = whole.stat().st_size - PICTURES * 36 * 4 * 2
    while not (part.exists() and part.stat().st_size > header) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    process.join()
    assert part.exists() and not killed.exists()
    made = extract(encoder(), photos, killed, Work(batch_size=2))
    assert made.encoded < PICTURES
    assert killed.read_bytes() == whole.read_bytes() and not part.exists()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.97, 1.0])
def test_whatever_part_was_written_is_gone_on_with(photos, tmp_path, share):
    whole, again = tmp_path / "whole.safetensors", tmp_path / "again.safetensors"
    extract(encoder(), photos, whole, Work(batch_size=1))
    data = whole.read_bytes()
    Path(f"{again}.part").write_bytes(data[: round(share * len(data))])
    extract(encoder(), photos, again, Work(batch_size=1))
    assert again.read_bytes() == data


def test_pictures_that_do_not_decode_are_told_and_the_others_are_encoded(photos, tmp_path):
    paths = stem_paths(photos)
    paths["002"].write_bytes(paths["002"].read_bytes()[:200])
    paths["009"].write_bytes(b"")
    told: list[str] = []
    made = extract(encoder(), photos, tmp_path / "f.safetensors", Work(batch_size=3, workers=1), tell=told.append)
    assert made.index.broken == ("002", "009")
    assert len(told) == 2 and str(paths["002"]) in told[0] and str(paths["009"]) in told[1]
    source = FeatureFile(tmp_path / "f.safetensors")
    assert set(source.names) == paths.keys() - {"002", "009"}
    assert all(np.isfinite(source.read(name)).all() for name in source.names)


def test_only_what_changed_is_encoded_again(photos, tmp_path):
    paths, output = stem_paths(photos), tmp_path / "f.safetensors"
    broken = paths["002"].read_bytes()[:200]
    paths["002"].write_bytes(broken)
    extract(encoder(), photos, output)
    before = {name: np.array(FeatureFile(output).read(name)) for name in ("000", "005", "010")}
    assert extract(encoder(read=lambda _pixels: pytest.fail("encoded again")), photos, output).encoded == 0
    draw(paths["002"], 2)
    draw(photos / "new.png", 99)
    paths["005"].unlink()  # its features stay: pictures may go once they are encoded
    made = extract(encoder(), photos, output)
    assert made.encoded == 2 and made.index.broken == ()
    source = FeatureFile(output)
    assert set(source.names) == paths.keys() | {"new"}
    assert all((source.read(name) == row).all() for name, row in before.items())


def test_a_broken_picture_that_is_removed_is_forgotten(photos, tmp_path):
    paths = stem_paths(photos)
    paths["002"].write_bytes(b"broken")
    extract(encoder(), photos, tmp_path / "f.safetensors")
    paths["002"].unlink()
    made = extract(encoder(), photos, tmp_path / "f.safetensors")
    assert (made.encoded, made.index.broken, len(made.index.names)) == (0, (), PICTURES - 1)


def test_features_of_other_weights_or_precision_are_not_mixed(photos, tmp_path):
    output = tmp_path / "f.safetensors"
    extract(encoder(), photos, output)
    for other, work in ((encoder("weights 2"), Work()), (encoder(), Work(torch.bfloat16))):
        with pytest.raises(UserError, match=r"f\.safetensors: holds features of tiny in float32, not .*--output"):
            extract(other, photos, output, work)
    part = Path(f"{tmp_path / 'g.safetensors'}.part")
    shutil.copy(output, part)
    with pytest.raises(UserError, match=r"g\.safetensors\.part: is of an earlier extraction"):
        extract(encoder("weights 2"), photos, tmp_path / "g.safetensors")
    assert part.read_bytes() == output.read_bytes()


def test_two_processes_do_not_write_one_file(photos, tmp_path):
    output = tmp_path / "f.safetensors"

    def meanwhile(*_state):
        with pytest.raises(UserError, match="another process writes it"):
            extract(encoder(), photos, output)

    extract(encoder(), photos, output, progress=meanwhile)
    assert len(FeatureFile(output).names) == PICTURES


def test_two_pictures_of_one_name_and_none_at_all_are_refused(photos, tmp_path):
    draw(photos / "003.png", 0)
    with pytest.raises(DataError, match=r"003\.png and .*003\.png have one name"):
        extract(encoder(), photos, tmp_path / "f.safetensors")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingMatched, match=r"empty: no picture"):
        extract(encoder(), tmp_path / "empty", tmp_path / "f.safetensors")


def test_lack_of_space_is_told_before_anything_is_encoded(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(extraction.shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(1, 1, 1))
    with pytest.raises(UserError, match=r"needs 0\.0 GB, but 0\.0 GB are free"):
        extract(encoder(read=lambda _pixels: pytest.fail("encoded")), photos, tmp_path / "f.safetensors")


def test_features_that_overflow_are_refused(photos, tmp_path):
    loud = encoder(read=lambda pixels: torch.full((len(pixels), 36, 4), 1e6))
    with pytest.raises(UserError, match="tiny: its features do not fit into float16"):
        extract(loud, photos, tmp_path / "f.safetensors")


def test_a_worker_that_is_killed_is_told_and_its_work_gone_on_with(photos, tmp_path):
    def kill_workers(pixels):
        for child in multiprocessing.active_children():
            child.kill()
        return torch.zeros(len(pixels), 36, 4)

    with pytest.raises(UserError, match="was killed, perhaps for lack of memory; give fewer --workers"):
        extract(encoder(read=kill_workers), photos, tmp_path / "f.safetensors", Work(batch_size=1, workers=1))
    assert extract(encoder(), photos, tmp_path / "f.safetensors", Work(batch_size=1)).encoded < PICTURES


def test_the_command_writes_where_tasks_look_and_says_what_it_did(photos, capsys):
    paths = stem_paths(photos)
    arguments = ["features", "--encoder", "mini-clip", "--images", str(photos), "--device", "cpu", "--workers", "0"]
    assert invoke(arguments) == 0
    output = photos.parent / "features" / "mini-clip" / "photos.safetensors"
    said = capsys.readouterr()
    assert said.out.startswith(f"{output}: mini-clip features of 11 pictures, 0.1 MB; 11 encoded in ")
    assert FeatureFile(output).width == 128
    paths["004"].write_bytes(b"broken")
    assert invoke(arguments) == 1
    said = capsys.readouterr()
    assert "features of 10 pictures, 0.1 MB; 1 encoded in" in said.out
    assert said.err.splitlines() == [
        f"broken  {paths['004']}: image '004' is no whole PNG or JPEG; fetch the file again",
        "1 of 11 pictures do not decode and have no features: 004; replace or remove them and give the same command "
        "again, which encodes nothing else",
    ]
    assert invoke(arguments) == 1
    assert "nothing to do" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"--encoder": "clip-rn50"}, 2, "unknown image encoder 'clip-rn50'; did you mean 'clip-rn101'"),
        ({"--images": "nowhere"}, 2, "--images nowhere: is not a folder"),
        ({"--output": "."}, 2, "--output .: is a folder; give the name of a file"),
        ({"--batch-size": "0"}, 2, "batch-size"),
        ({"--device": "cuda:99"}, 2, "cuda:99"),
    ],
)
def test_wrong_usage_is_one_line(photos, capsys, change, code, said):
    given = {"--encoder": "mini-clip", "--images": str(photos), "--device": "cpu"} | change
    assert invoke(["features", *(word for pair in given.items() for word in pair)]) == code
    errors = capsys.readouterr().err.strip()
    assert said in errors and len(errors.splitlines()) == 1


def test_the_index_is_plain_json(photos, tmp_path):
    extract(encoder(), photos, tmp_path / "f.safetensors")
    data = (tmp_path / "f.safetensors").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    index = json.loads(header["__metadata__"]["index"])
    assert index["names"][:2] == ["000", "001"] and index["whole"] == "1" * PICTURES
