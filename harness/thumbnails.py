"""Small pictures of the examples that a report shows, for image sets whose pictures may be passed on."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pandas
from PIL import Image

from harness.evaluation import Evaluated
from reports.samples import sampled
from tasks import ImageSet

SIDE = 96  # pixels, of the longer side
FRAMES = 4  # of a clip, side by side, from its first to its last
QUALITY = 60


def thumbnails(evaluated: Sequence[Evaluated]) -> pandas.DataFrame:
    """One row per picture of the sampled examples; the content of ``thumbnails.parquet``.

    Columns: task, image (id), picture (bytes of a WebP file). Empty where no picture may be shown.

    Raises:
        DataError: a picture is missing or does not decode.
    """
    rows = []
    for one in evaluated:
        images = one.data.task.images(one.data.role)
        if not images.may_be_shown:
            continue
        names = set(sampled(example.id for example in one.data.examples))
        shown = dict.fromkeys(image for e in one.data.examples if e.id in names for image in e.images)
        rows += [{"task": one.data.task.name, "image": image, "picture": thumbnail(images, image)} for image in shown]
    return pandas.DataFrame(rows, columns=["task", "image", "picture"])


def thumbnail(images: ImageSet, name: str) -> bytes:
    """A picture, or some frames of a clip in a row, as a WebP file."""
    frames = images.open_frames(name)
    last = len(frames) - 1
    places = sorted({round(part * last / (FRAMES - 1)) for part in range(FRAMES)})
    small = [frames[place].copy() for place in places]
    for picture in small:
        picture.thumbnail((SIDE, SIDE))
    strip = Image.new("RGB", (sum(picture.width for picture in small), max(picture.height for picture in small)))
    left = 0
    for picture in small:
        strip.paste(picture, (left, 0))
        left += picture.width
    content = io.BytesIO()
    strip.save(content, "WEBP", quality=QUALITY)
    return content.getvalue()
