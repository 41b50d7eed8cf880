"""TVQA: questions about clips of six television series, with subtitles and five answers (Lei et al. 2018).

Layout of ``<data>/video/``: as `tasks._value` says, with ``ann/tvqa/tvqa_train.jsonl`` and ``tvqa_val.jsonl``: of each
line qid, vid_name, q, a0 to a4, ts (start and end in seconds) and answer_idx are read.
"""

from __future__ import annotations

from tasks._value import QuestionTask


class Tvqa(QuestionTask):
    """Choose one of five answers to a question about a clip with dialogue."""

    name = "tvqa"
    version = "1"
    prefix = "tvqa: "
    title = "TVQA"
    summary = "A question about a clip of a series with subtitles and five answers; accuracy of the choice."
    paper = ("Lei, Yu, Bansal and Berg 2018", "lei2018tvqa")
    clips = "tv"
    offered = 5
    required = (
        "ann/tvqa/tvqa_train.jsonl",
        "ann/tvqa/tvqa_val.jsonl",
        "ann/tv_subtitles.jsonl",
    )
    hidden = "ann/tvqa/tvqa_test_release.jsonl"
