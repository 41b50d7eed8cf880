"""Questions and captions about clips in the format of VALUE (Li et al. 2021): TVQA, How2QA, TVC and YC2C.

* questions: one ``{qid, answer_idx}`` a line; predictions: ``{qid: index of the answer}``;
* captions: one ``{clip_id, descs: [{desc}]}`` a line, references and predictions alike; of several predicted ones the
  first counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tasks.base import DataError, Example
from tasks.metrics.exact import METRIC, exact
from tasks.official.captions import CaptionScorer
from tasks.official.files import Id, Record, read_json, read_json_lines
from tasks.official.formats import Format, Scores


class _Question(Record):
    qid: Id
    vid_name: str = ""
    answer_idx: int | None = None


class _Description(Record):
    desc: str


class _Clip(Record):
    clip_id: Id
    descs: tuple[_Description, ...] = ()


def answers(path: Path) -> list[Example]:
    """One example per question."""
    found = []
    for number, row in enumerate(read_json_lines(path, _Question, "a line of JSON with qid and answer_idx"), start=1):
        if row.answer_idx is None:
            raise DataError(f"{path}: record {number}: qid {row.qid} has no answer_idx; give a split with answers")
        found.append(
            Example(str(row.qid), "", (row.vid_name,), references=(str(row.answer_idx),), cluster=row.vid_name)
        )
    return found


def choices(path: Path) -> list[tuple[str, str]]:
    """The answer chosen for each question."""
    chosen = read_json(path, dict[str, int], "an object: qid -> index of the answer")
    return [(name, str(index)) for name, index in chosen.items()]


def _clips(path: Path) -> list[tuple[str, tuple[str, ...]]]:
    found = []
    for number, row in enumerate(read_json_lines(path, _Clip, "a line of JSON with clip_id and descs"), start=1):
        if not row.descs:
            raise DataError(f"{path}: record {number}: clip_id {row.clip_id} has no descs; give a file with captions")
        found.append((str(row.clip_id), tuple(described.desc for described in row.descs)))
    return found


def descriptions(path: Path) -> list[Example]:
    """One example per clip."""
    return [Example(name, "", (name,), references=texts, cluster=name) for name, texts in _clips(path)]


def captions(path: Path) -> list[tuple[str, str]]:
    """What was said of each clip."""
    return [(name, texts[0]) for name, texts in _clips(path)]


def accuracy(examples: Sequence[Example], said: Sequence[str]) -> Scores:
    """Share of questions with the right choice."""
    value, each = exact(said, [example.references for example in examples])
    return Scores({METRIC.name: value}, {METRIC.name: each})


CHOICES = Format("qid", answers, choices, accuracy)
CAPTIONS = Format("clip_id", descriptions, captions, CaptionScorer(plain=True))
