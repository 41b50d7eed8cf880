"""Small files in the layout of the real data, so that every reader is tested without them."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
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


def write_list(path: Path, name: str, records: Iterable[object], **head: object) -> None:
    """One object with a list of records, written record by record in one line, as the owners do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        file.write(json.dumps({"info": {"year": 2017}, **head})[:-1] + f', "{name}": [')
        for number, record in enumerate(records):
            file.write((", " if number else "") + json.dumps(record))
        file.write('], "data_type": "mscoco"}')


KARPATHY = {"train": 30, "restval": 6, "val": 6, "test": 6}


def coco_photos(splits: dict[str, int] = KARPATHY) -> Iterator[tuple[int, str, str, str]]:
    """Number, folder, file and split of as many photos; Karpathy's train is of train2014, the rest of val2014."""
    number = 0
    for split, count in splits.items():
        for _ in range(count):
            number += 7
            folder = "train2014" if split == "train" else "val2014"
            yield number, folder, f"COCO_{folder}_{number:012}.jpg", split


def write_coco(data: Path, splits: dict[str, int] = KARPATHY) -> Path:
    """Karpathy's file and all its photos; five captions a photo. ``splits``: number of photos of each split."""
    folder = data / "coco"
    encoded = {colour: picture("JPEG", colour) for colour in COLOURS}
    for part in ("train2014", "val2014"):
        (folder / part).mkdir(parents=True)
    for number, part, file, _ in coco_photos(splits):
        (folder / part / file).write_bytes(encoded[COLOURS[number % 4]])
    images = (
        {
            "filepath": part,
            "filename": file,
            "cocoid": number,
            "split": split,
            "sentences": [
                {"raw": text, "tokens": text.split()}
                for verb in ("runs", "sits", "jumps", "sleeps", "plays")
                for text in [f"A {COLOURS[number % 4]} dog {verb} on field number {number}. "]
            ],
        }
        for number, part, file, split in coco_photos(splits)
    )
    write_list(folder / "dataset_coco.json", "images", images, dataset="coco")
    return folder


def write_vqav2(data: Path, splits: dict[str, int] = KARPATHY, questions: int = 2) -> Path:
    """The four files of VQA v2 about the photos of `write_coco`; ten answers: seven of one, two of another, one odd."""
    folder = data / "vqav2"
    for part in ("train2014", "val2014"):
        photos = [number for number, place, *_ in coco_photos(splits) if place == part]
        asked = [(number, number * 1000 + index) for number in photos for index in range(questions)]
        write_list(
            folder / f"v2_OpenEnded_mscoco_{part}_questions.json",
            "questions",
            (
                {"image_id": number, "question": ("What colour is it?", "How many?")[name % 2], "question_id": name}
                for number, name in asked
            ),
            data_subtype=part,
        )
        write_list(
            folder / f"v2_mscoco_{part}_annotations.json",
            "annotations",
            (vqa_annotation(number, name) for number, name in asked),
            data_subtype=part,
        )
    return folder


def vqa_annotation(image: int, question: int) -> dict[str, object]:
    """The annotation of one question of `write_vqav2`, with all fields of the owners."""
    common, other = (COLOURS[image % 4], "yes") if question % 2 == 0 else ("2", "3")
    answers = [common] * 7 + [other] * 2 + [f"odd {question}"]
    return {
        "question_type": "what",
        "multiple_choice_answer": common,
        "answers": [
            {"answer": answer, "answer_confidence": "yes", "answer_id": number}
            for number, answer in enumerate(answers, 1)
        ],
        "image_id": image,
        "answer_type": "number" if common == "2" else "other",
        "question_id": question,
    }


NLVR2 = {"train": 12, "dev": 4, "test1": 6}


def write_nlvr2(data: Path, splits: dict[str, int] = NLVR2) -> Path:
    """``splits``: number of sets of photos; one sentence about two pairs each, twice as many true as false."""
    folder = data / "nlvr2"
    for split, count in splits.items():
        lines = []
        for number in range(count):
            for pair in (0, 3):
                name = f"{split}-{number}-{pair}"
                below = folder / "images" / split / (str(number % 3) if split == "train" else "")
                below.mkdir(parents=True, exist_ok=True)
                for side in (0, 1):
                    (below / f"{name}-img{side}.png").write_bytes(picture("PNG", COLOURS[(number + side) % 4]))
                label = "False" if number % 3 == 0 and pair else "True"
                line = {
                    "identifier": f"{name}-1",
                    "sentence": f"There are {number} dogs.",
                    "label": label,
                    "writer": "1",
                }
                lines.append(json.dumps(line))
        (folder / f"{split}.json").write_text("\n".join(lines) + "\n")
    return folder


GQA = {"train": 50, "val": 12, "testdev": 6}


def write_gqa(data: Path, splits: dict[str, int] = GQA) -> Path:
    """``splits``: number of photos of each split; two questions a photo."""
    folder = data / "gqa"
    (folder / "images").mkdir(parents=True)
    for split, count in splits.items():
        questions = {}
        for number in range(count):
            image = f"{'n' if split == 'testdev' else ''}{len(split)}{number:03}"
            (folder / "images" / f"{image}.jpg").write_bytes(picture("JPEG", COLOURS[number % 4]))
            for index, (text, answer, kind) in enumerate(
                (("What colour is the wall?", COLOURS[number % 4], "query"), ("Is it a wall?", "yes", "verify"))
            ):
                questions[f"{len(split)}{number:03}{index}"] = {
                    "semantic": [{"operation": "select", "dependencies": [], "argument": "wall (1)"}],
                    "question": text,
                    "imageId": image,
                    "isBalanced": True,
                    "answer": answer,
                    "types": {"detailed": "what", "semantic": "attr", "structural": kind},
                    "fullAnswer": f"The wall is {answer}.",
                }
        (folder / f"{split}_balanced_questions.json").write_text(json.dumps(questions))
    return folder


VALUE = {"train": 60, "val": 8, "test": 4}
VALUE_FILES = {
    "tvqa": {"train": "tvqa_train", "val": "tvqa_val", "test": "tvqa_test_release"},
    "how2qa": {
        "train": "how2qa_train_release",
        "val": "how2qa_val_release",
        "test": "how2qa_test_public_release",
    },
    **{task: {part: f"{task}_{part}_release" for part in VALUE} for task in ("tvc", "yc2c")},
}


def value_clips(kind: str, splits: dict[str, int] = VALUE) -> Iterator[tuple[str, int, str]]:
    """Split, number and name of the clips of a kind ("tv", "how2" or "yc2"); three of a cooking video."""
    number = 0
    for split, count in splits.items():
        for index in range(count):
            number += 1
            name = {
                "tv": f"show_s01e{number:02}_clip_00",
                "how2": f"{number}",
                "yc2": f"_{split}{index // 3}_{index % 3}",
            }
            yield split, number, name[kind]


def write_value(data: Path, splits: dict[str, int] = VALUE, width: int = 512) -> Path:
    """All four tasks in VALUE's layout: two questions and one or two captioned moments a clip, random features."""
    folder = data / "video"
    generator = np.random.default_rng(0)
    for kind, tasks in {"tv": ("tvqa", "tvc"), "how2": ("how2qa",), "yc2": ("yc2c",)}.items():
        clips = list(value_clips(kind, splits))
        features = folder / "vis_features" / kind / "clip-vit"
        features.mkdir(parents=True)
        for _, number, clip in clips:
            steps = generator.normal(size=(1 + number % 90, width)).astype(np.float16)
            np.savez(features / f"{clip}.npz", features=steps)
        said = ({"vid_name": clip, "sub": [value_line(2.0, f" It is {colour(number)} .")]} for _, number, clip in clips)
        write_lines(folder / "ann" / f"{kind}_subtitles.jsonl", said)
        for task in tasks:
            made = value_question if task.endswith("qa") else value_caption
            for split, name in VALUE_FILES[task].items():
                lines = [
                    made(task, number, clip, hidden=split == "test")
                    for part, number, clip in clips
                    if part == split
                    for number in (2 * number, 2 * number + 1)
                ]
                write_lines(folder / "ann" / task / f"{name}.jsonl", lines)
    return folder


def colour(number: int) -> str:
    return COLOURS[number % 4]


def value_line(start: float, text: str) -> dict[str, object]:
    return {"text": text, "start": start, "end": start + 1.5}


def value_question(task: str, number: int, clip: str, hidden: bool) -> dict[str, object]:
    """A line of TVQA's or How2QA's files."""
    choices = {f"a{index}": f" {name}. " for index, name in enumerate((*COLOURS, "none")[: 5 if task == "tvqa" else 4])}
    line = {"vid_name": clip, "ts": "1.5-4.25", "qid": number, "q": f"What colour is thing {number}? ", **choices}
    if task == "tvqa":
        line["show_name"] = "Show"
    return line if hidden else line | {"answer_idx": number // 2 % 4}


def value_caption(task: str, number: int, clip: str, hidden: bool) -> dict[str, object]:
    """A line of TVC's or YC2C's files; TVC has two captions a moment."""
    line: dict[str, object] = {"vid_name": clip, "duration": 14, "clip_id": number}
    if task == "tvc":
        line["ts"] = [0, 4.25]
    verbs = ("shows", "paints") if task == "tvc" else ("paints",)
    described = [
        {"desc": f"Somebody {verb} thing {number} in {colour(number // 2)} .", "desc_id": number} for verb in verbs
    ]
    return line if hidden else line | {"descs": described}


def write_lines(path: Path, records: Iterable[object]) -> None:
    """One record a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
