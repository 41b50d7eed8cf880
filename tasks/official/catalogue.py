"""The official format of each task that has one."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.official.captions import COCO
from tasks.official.formats import Format
from tasks.official.glue import GLUE
from tasks.official.gqa import GQA
from tasks.official.nlvr import NLVR, NLVR2
from tasks.official.video import CAPTIONS, CHOICES
from tasks.official.vqa import VQA

FORMATS: Mapping[str, Format] = {
    "vqav2": VQA,
    "ok-vqa": VQA,
    "gqa": GQA,
    "nlvr": NLVR,
    "nlvr2": NLVR2,
    "coco-caption": COCO,
    "flickr8k": COCO,
    "tvqa": CHOICES,
    "how2qa": CHOICES,
    "tvc": CAPTIONS,
    "yc2c": CAPTIONS,
    **{f"glue/{name}": form for name, form in GLUE.items()},
}
