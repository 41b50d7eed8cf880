"""How2QA: questions about clips of instructional videos, with subtitles and four answers (Li et al. 2020).

Layout of ``<data>/video/``: as `tasks._value` says, with ``ann/how2qa/how2qa_train_release.jsonl`` and
``how2qa_val_release.jsonl``: of each line qid, vid_name, q, a0 to a3, ts (start and end in seconds) and answer_idx are
read.
"""

from __future__ import annotations

from tasks._value import QuestionTask


class How2qa(QuestionTask):
    """Choose one of four answers to a question about a clip that shows how to do something."""

    name = "how2qa"
    version = "1"
    prefix = "how2qa: "
    title = "How2QA"
    summary = "A question about an instructional clip with subtitles and four answers; accuracy of the choice."
    paper = ("Li, Chen, Cheng, Gan, Yu and Liu 2020", "li2020hero")
    clips = "how2"
    offered = 4
    required = (
        "ann/how2qa/how2qa_train_release.jsonl",
        "ann/how2qa/how2qa_val_release.jsonl",
        "ann/how2_subtitles.jsonl",
    )
    hidden = "ann/how2qa/how2qa_test_public_release.jsonl"
