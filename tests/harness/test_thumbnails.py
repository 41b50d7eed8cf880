"""Pictures for the report: of sampled examples, and only where they may be shown."""

import io
from types import SimpleNamespace

from PIL import Image
from small_tasks import SmallColour

from harness.thumbnails import SIDE, thumbnails
from reports.samples import sampled
from tasks.mini_nlvr import MiniNlvr
from tasks.mini_tvqa import MiniTvqa


def evaluated(task, count=60):
    return SimpleNamespace(data=SimpleNamespace(task=task, role="select", examples=task.examples("select")[:count]))


def test_each_picture_of_the_sample_is_stored_once_and_small():
    one = evaluated(MiniNlvr())
    frame = thumbnails([one])
    names = sampled(example.id for example in one.data.examples)
    shown = {image for example in one.data.examples if example.id in names for image in example.images}
    assert set(frame["image"]) == shown and len(frame) == len(shown)
    picture = Image.open(io.BytesIO(frame["picture"].iloc[0]))
    assert picture.format == "WEBP" and picture.size == (SIDE, SIDE)
    assert frame["picture"].map(len).mean() < 1_000


def test_a_clip_is_a_strip_of_frames():
    frame = thumbnails([evaluated(MiniTvqa(), 2)])
    assert Image.open(io.BytesIO(frame["picture"].iloc[0])).size == (4 * SIDE, SIDE)


def test_pictures_that_are_not_ours_to_show_are_left_out():
    frame = thumbnails([evaluated(SmallColour())])
    assert frame.empty and list(frame.columns) == ["task", "image", "picture"]
