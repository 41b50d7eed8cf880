"""Small files in the layout of the real data, so that every reader is tested without them."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import pandas as pd
from PIL import Image

COLOURS = ("red", "green", "blue", "white")


def picture(kind: str, colour: str, size: tuple[int, int] = (24, 16)) -> bytes:
    """An encoded picture of one colour."""
    out = io.BytesIO()
    Image.new("RGB" if kind == "JPEG" else "RGBA", size, colour).save(out, kind)
    return out.getvalue()


def write_daquar(data: Path, splits: dict[str, int]) -> Path:
    """``splits``: number of images of each split; two questions an image."""
    questions, images = [], []
    for split, count in splits.items():
        for _ in range(count):
            image, colour = f"image{len(images)}", COLOURS[len(images) % 4]
            images.append({"image_id": image, "image_jpeg": picture("JPEG", colour)})
            for text, answer in (("what colour is the wall", colour), ("how many chairs are there", "2")):
                questions.append((len(questions), image, split, text, answer))
    folder = data / "daquar"
    folder.mkdir(parents=True)
    columns = ["question_id", "image_id", "split", "question", "answer"]
    pd.DataFrame(questions, columns=columns).to_parquet(folder / "qa.parquet")
    pd.DataFrame(images).to_parquet(folder / "images.parquet")
    return folder


def write_flickr8k(data: Path, splits: dict[str, int], name: str = "flickr8k_1000") -> Path:
    """``splits``: number of images of each split; five captions an image."""
    folder = data / name
    folder.mkdir(parents=True)
    images: list[dict[str, object]] = []
    verbs = ("runs", "sits", "jumps", "sleeps", "plays")
    for split, count in splits.items():
        annotations = []
        for _ in range(count):
            number, colour = len(images), COLOURS[len(images) % 4]
            images.append({"image_id": number, "image_jpeg": picture("JPEG", colour)})
            for verb in verbs:
                text = f"A {colour} dog {verb} on field number {number} ."
                annotations.append({"id": len(annotations), "image_id": number, "caption": text})
        file = {"info": {}, "licenses": [], "images": [], "annotations": annotations}
        (folder / f"captions_{split}.json").write_text(json.dumps(file))
    pd.DataFrame(images).to_parquet(folder / "images.parquet")
    return folder


def nlvr_rows(split: str, buckets: range, source: str, part: int) -> pd.DataFrame:
    """One sentence a bucket in two orders of the boxes."""
    generator = random.Random(f"{split}{source}")
    rows = []
    for bucket in buckets:
        label = generator.random() < 0.7
        for permutation in (0, 1):
            identifier = f"{bucket}-{part}"
            rows.append(
                {
                    "identifier": identifier,
                    "permutation": permutation,
                    "sentence": f"There are {bucket % 3} blue items",
                    "label": label,
                    "label_source": source,
                    "directory": bucket % 20,
                    "image_file": f"{split}-{identifier}-{permutation}.png",
                    "image_png": picture("PNG", COLOURS[bucket % 4], (40, 10)),
                }
            )
    return pd.DataFrame(rows).astype({"permutation": "int8", "directory": "int16"})


def write_nlvr(data: Path, test: bool = False, derived: bool = True) -> Path:
    """Forty training sentences in twenty buckets; twelve for dev."""
    folder = data / "nlvr"
    folder.mkdir(parents=True)
    nlvr_rows("train", range(40), "official", 0).to_parquet(folder / "train_official.parquet")
    nlvr_rows("dev", range(100, 112), "official", 0).to_parquet(folder / "dev.parquet")
    if derived:
        nlvr_rows("train", range(40), "derived", 1).to_parquet(folder / "train_siblings_derived.parquet")
    if test:
        nlvr_rows("test", range(200, 208), "official", 0).to_parquet(folder / "test.parquet")
    return folder
