"""YC2C: captions of steps in cooking videos, with what is said (YouCook2, Zhou et al. 2018).

Layout of ``<data>/video/``: as `tasks._value` says, with ``ann/yc2c/yc2c_train_release.jsonl`` and
``yc2c_val_release.jsonl``: of each line clip_id, vid_name and descs (desc) are read. A clip is one step of a recipe;
its name is that of the video and a number, such as ``EsQbw20TQPA_5``.
"""

from __future__ import annotations

from tasks._value import CaptionTask


class Yc2c(CaptionTask):
    """Describe one step of a recipe."""

    name = "yc2c"
    version = "1"
    prefix = "yc2c: "
    title = "YC2C"
    summary = "A step of a cooking video with subtitles; a caption, compared with a human one; CIDEr."
    paper = ("Zhou, Xu and Corso 2018", "zhou2018youcook2")
    clips = "yc2"
    required = (
        "ann/yc2c/yc2c_train_release.jsonl",
        "ann/yc2c/yc2c_val_release.jsonl",
        "ann/yc2_subtitles.jsonl",
    )
    hidden = "ann/yc2c/yc2c_test_release.jsonl"
    clip_field = "video_id"

    def recording(self, clip: str) -> str:
        """The whole video, of which other clips are other steps."""
        return clip.rpartition("_")[0] or clip
