"""Captions of images in COCO's format (Chen et al. 2015), which Flickr8k's are kept in too.

* references: ``{"annotations": [{image_id, caption}]}``, several an image;
* results: ``[{image_id, caption}]``, one an image. The images in it are the ones that are scored, and that document
  frequencies are counted over, as in the owners' demonstration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.base import Example
from tasks.metrics.captions import Tokenise, ascii_only, caption_scores, tokenised
from tasks.official.files import Record, read_json
from tasks.official.formats import Format, Scores


class _Caption(Record):
    image_id: int
    caption: str


class _Captions(Record):
    annotations: list[_Caption]


def references(path: Path) -> list[Example]:
    """One example per image with its captions, in the order of the file."""
    captions: dict[str, list[str]] = {}
    for row in read_json(path, _Captions, "annotations with image_id and caption").annotations:
        captions.setdefault(str(row.image_id), []).append(row.caption.strip())
    return [Example(name, "", (name,), references=tuple(texts), cluster=name) for name, texts in captions.items()]


def predictions(path: Path) -> list[tuple[str, str]]:
    """What was said of each image."""
    return [
        (str(row.image_id), row.caption) for row in read_json(path, list[_Caption], "a list of image_id and caption")
    ]


@dataclass(frozen=True)
class CaptionScorer:
    """The scores of the official caption evaluation."""

    plain: bool = False  # other characters than ASCII become spaces first
    tokenise: Tokenise = tokenised

    def __call__(self, examples: Sequence[Example], said: Sequence[str]) -> Scores:
        """Score one caption an example."""
        clean = ascii_only if self.plain else str
        truth = [[clean(caption) for caption in example.references] for example in examples]
        found = caption_scores([clean(caption) for caption in said], truth, self.tokenise)
        return Scores(
            {name: values[0] if values else None for name, values in found.items()},
            {name: values[1] for name, values in found.items() if values},
        )


COCO = Format("image_id", references, predictions, CaptionScorer(), partial=True)
