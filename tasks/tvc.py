"""TVC: captions of moments in clips of six television series, with subtitles (Lei et al. 2020).

Layout of ``<data>/video/``: as `tasks._value` says, with ``ann/tvc/tvc_train_release.jsonl`` and
``tvc_val_release.jsonl``: of each line clip_id (of the moment), vid_name, ts (start and end in seconds) and descs
(desc) are read.
"""

from __future__ import annotations

from typing import ClassVar

from tasks._value import CaptionTask


class Tvc(CaptionTask):
    """Describe one moment of a clip with dialogue."""

    name = "tvc"
    version = "1"
    prefix = "tvc: "
    title = "TVC"
    summary = "A moment in a clip of a series with subtitles; a caption, compared with four human ones; CIDEr."
    paper = ("Lei, Yu, Berg and Bansal 2020", "lei2020tvr")
    clips = "tv"
    moment: ClassVar = {"ts": list}
    required = (
        "ann/tvc/tvc_train_release.jsonl",
        "ann/tvc/tvc_val_release.jsonl",
        "ann/tv_subtitles.jsonl",
    )
    hidden = "ann/tvc/tvc_test_release.jsonl"
    clip_field = "vid_name"
