"""Questions and captions about clips with subtitles, in the layout of the benchmark VALUE (Li et al. 2021).

Layout of ``<data>/video/``, as the scripts of github.com/VALUE-Leaderboard/DataRelease leave it:

* ``ann/tvqa/tvqa_train.jsonl`` and so on: one question or clip a line; which files, each task says;
* ``ann/tv_subtitles.jsonl``, ``ann/how2_subtitles.jsonl``, ``ann/yc2_subtitles.jsonl``: one clip a line, of which
  vid_name and the texts of sub are read;
* ``vis_features/tv/clip-vit/``, ``.../how2/...``, ``.../yc2/...``: ``<vid_name>.npz`` of each clip, in any folders
  below, with an array ``features``: CLIP ViT-B/32, 512 numbers for each step of 1.5 seconds.

The answers to the test questions are hidden; predictions for them are written as the owners' server takes them. The
owners' validation split is reported; checkpoints are selected on a
few recordings of the training split, drawn by seed, the same ones for tasks on the same clips. Texts are VL-Adapter's:
all that is said in a clip, without times, before the question; the task's prefix after it, lost where a text is long.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from tasks._clip_features import SUFFIX, ClipFeatures, FeaturedClips
from tasks._folder import FolderTask, held_out
from tasks._json import Fields, in_lines, values_of
from tasks._scattered import Scattered
from tasks.base import (
    Card,
    DataError,
    Decoding,
    Example,
    FeatureSource,
    ImageSet,
    Metric,
    Part,
    Role,
    Scored,
    SubmittedTask,
)
from tasks.metrics import cider, exact
from tasks.metrics.captions import ascii_only

SELECT_SHARE = 0.02  # of the training recordings
ENCODER = "VALUE's CLIP ViT-B/32"
CLIP_WIDTH = 512  # of its joint space with text
ORIGIN = "annotations, subtitles and clip-vit features come by the scripts of github.com/VALUE-Leaderboard/DataRelease"
LICENCE = "CC BY-NC-SA 4.0 (annotations, subtitles and features); the videos are their owners' and not needed"


PARTS: Mapping[Role, str] = {"train": "train", "select": "train", "report": "validation", "submit": "test"}


@dataclass(frozen=True, slots=True)
class Item:
    """One line of an annotation file."""

    id: str
    clip: str
    text: str
    answers: tuple[str, ...]  # the right one, or all captions; none where they are hidden
    kind: str
    moment: object = None  # the part of the clip that is meant, as its file says it


class ValueTask(FolderTask, SubmittedTask):
    """A task in VALUE's layout; training reads one example per answer of an item, otherwise there is one per item."""

    folders = ("video",)
    origin = ORIGIN
    prefix_place = "after"
    decoding = Decoding(beams=5, max_length=20)
    text_limit = 600
    target_limit = 20
    clips: ClassVar[str]  # whose: "tv", "how2" or "yc2"
    hidden: ClassVar[str]  # the file of test questions
    metric: ClassVar[Metric]
    title: ClassVar[str]
    summary: ClassVar[str]
    paper: ClassVar[tuple[str, str]]  # in words, and its citation key

    @property
    def card(self) -> Card:
        """The task's card."""
        source, key = self.paper
        return Card(
            title=self.title,
            summary=self.summary,
            source=f"{source}, in VALUE (Li et al. 2021); {ORIGIN}",
            licence=LICENCE,
            splits={
                "train": "train, about 98 % of its recordings",
                "select": "train, about 2 % of its recordings",
                "report": PARTS["report"],
                "submit": PARTS["submit"],
            },
            metric=self.metric,
            cluster="recording",
            bibtex=key,
        )

    @abstractmethod
    def items(self, path: Path, hidden: bool = False) -> Iterator[Item]:
        """Read an annotation file, one that has no answers if they are ``hidden``.

        Raises:
            DataError: the file is missing or broken.
        """

    def recording(self, clip: str) -> str:
        """What a clip was cut from; all clips of a recording are trained on, or none."""
        return clip

    def path(self, role: Role) -> Path:
        """The annotation file that a role is read from."""
        training, reported, _ = self.required
        return self.folder / {"train": training, "validation": reported, "test": self.hidden}[PARTS[role]]

    def read(self, role: Role) -> Iterable[Example]:
        """Examples in the order of the file."""
        for item in self._items(role):
            cluster = self.recording(item.clip)
            if role in ("train", "select") and (cluster in self._selected) != (role == "select"):
                continue
            taught = [(item.id, item.answers)]
            if role == "train" and len(item.answers) > 1:
                taught = [(f"{item.id}-{number}", (answer,)) for number, answer in enumerate(item.answers)]
            for name, targets in taught:
                yield Example(
                    id=name,
                    text=item.text,
                    images=(item.clip,),
                    targets=targets,
                    weights=(1.0,) * len(targets),
                    references=item.answers,
                    cluster=cluster,
                    kind=item.kind,
                    subtitles=self._subtitles.get(item.clip, ""),
                )

    def _items(self, role: Role) -> Sequence[Item]:
        if role == "submit":
            return self._submitted
        return self._reported if role == "report" else self._training

    @cached_property
    def _submitted(self) -> Sequence[Item]:
        return list(self.items(self.path("submit"), hidden=True))

    @cached_property
    def _reported(self) -> Sequence[Item]:
        return list(self.items(self.path("report")))

    @cached_property
    def _training(self) -> Sequence[Item]:
        """The items of the training file, read once for training and selection."""
        found = list(self.items(self.path("train")))
        if shared := sorted({item.id for item in found} & {item.id for item in self._reported}):
            raise DataError(
                f"{self.path('report')}: {len(shared):,} of its records are trained on (first: {shared[0]}); "
                "put the files of train and validation under their own names"
            )
        return found

    @cached_property
    def _selected(self) -> frozenset[str]:
        """The recordings that are kept from training."""
        recordings = (self.recording(item.clip) for item in self._training)
        return held_out(recordings, f"video/{self.clips}", SELECT_SHARE)

    @cached_property
    def _subtitles(self) -> Mapping[str, str]:
        """All that is said in each clip, in one line."""
        path = self.folder / self.required[-1]
        said: dict[str, str] = {}
        for clip, lines in in_lines(path, {"vid_name": str, "sub": list}):
            try:
                said[clip] = " ".join([text for line in lines if (text := line["text"].strip())])
            except (AttributeError, KeyError, TypeError) as error:
                raise DataError(f"{path}: clip {clip}: sub must be a list of records with a text") from error
        if not any(item.clip in said for item in self._reported):
            raise DataError(
                f"{path}: holds none of the clips of {self.path('report')}; put {self.clips}'s subtitles here"
            )
        return said

    @property
    def _feature_folder(self) -> str:
        return f"vis_features/{self.clips}/clip-vit"

    def absent(self) -> list[str]:
        """Files and the folder that are required and not there."""
        folder = self._feature_folder
        return super().absent() + ([] if (self.folder / folder).is_dir() else [f"{folder}/"])

    def missing(self) -> str | None:
        """Name the files that are not there, or count the clips; what is there but broken, `examples` tells."""
        try:
            return super().missing() or self._scattered.missing()
        except DataError:
            return None

    def parts(self) -> Sequence[Part]:
        """Each file of its own, the test questions too, and all clips' features."""
        if self.data is None:
            return ()
        features = self._scattered.part(self._place(self._feature_folder))
        return (*super().parts(), self._part(self.hidden, needed=False), features)

    def fingerprint(self) -> str:
        """Digest of the contents of annotations and subtitles, and of names and sizes of all clips' features."""
        return f"{super().fingerprint()}-{self._scattered.fingerprint()}"

    @cached_property
    def _scattered(self) -> Scattered:
        """The features of all clips that are trained or reported on."""
        return self._feature_files(self.path("train"), self.path("report"))

    def _feature_files(self, *annotations: Path) -> Scattered:
        def names() -> set[str]:
            return {f"{clip}{SUFFIX}" for path in annotations for clip in values_of(path, "vid_name")}

        return Scattered(
            [self.folder / self._feature_folder], names, "files of clips' features", f"{ORIGIN}; layout in {__name__}"
        )

    def precomputed(self, encoder: str) -> FeatureSource:
        """VALUE's features, whatever the encoder: there is nothing else to be seen of its clips."""
        return self._features

    @cached_property
    def _features(self) -> FeatureSource:
        return ClipFeatures(ENCODER, CLIP_WIDTH, self._all_features)

    def _all_features(self) -> Scattered:
        """The features of the test's clips, too, where these are known."""
        roles: tuple[Role, ...] = ("train", "report", "submit")
        return self._feature_files(*(path for role in roles if (path := self.path(role)).is_file()))

    def image_set_name(self, role: Role) -> str:
        """Training and selection share the clips of their file, and tasks on the same clips share them, too."""
        return f"video/{self.clips}/{PARTS[role]}"

    def open_images(self, role: Role) -> ImageSet:
        """Clips by their name."""
        return FeaturedClips(self.image_set_name(role), (item.clip for item in self._items(role)))

    def submission(self, role: Role, examples: Sequence[Example], predictions: Sequence[str]) -> tuple[str, str]:
        """Return ``<task>/<task>_<split>_predictions`` as VALUE's EvaluationTools take it."""
        items = {item.id: item for item in self._items(role)}
        said = [(items[example.id], text) for example, text in zip(examples, predictions, strict=True)]
        suffix, content = self.submitted(said)
        split = self.path(role).stem.removesuffix("_release")  # such as how2qa_test_public
        return f"{self.name}/{split}_predictions{suffix}", content

    @abstractmethod
    def submitted(self, said: Sequence[tuple[Item, str]]) -> tuple[str, str]:
        """Suffix and content of the file with what was said of each item."""


class QuestionTask(ValueTask):
    """A question with choices; what is learnt and compared is the label of the right one, such as "a2"."""

    metric = exact.METRIC

    def items(self, path: Path, hidden: bool = False) -> Iterator[Item]:
        """One item per question."""
        numbers = range(self.offered)
        choices = {f"a{number}": str for number in numbers}
        fields = {"qid": int, "vid_name": str, "q": str, "ts": str, **choices}
        label = {} if hidden else {"answer_idx": int}
        for name, clip, question, time, *texts in in_lines(path, fields | label):
            right = None if hidden else texts.pop()
            if right is not None and right not in numbers:
                raise DataError(f"{path}: question {name}: answer_idx is {right}; expected 0 to {self.offered - 1}")
            offered = " ".join(f"a{number}: {text.strip('. ')}." for number, text in enumerate(texts))
            yield Item(
                id=str(name),
                clip=clip,
                text=f"[Q] {question.strip()} [TS] ({time}) [Choices] {offered}",
                answers=() if right is None else (f"a{right}",),
                kind=(question.lower().split() or [""])[0],
            )

    def submitted(self, said: Sequence[tuple[Item, str]]) -> tuple[str, str]:
        """One object, question -> number of the choice; 0 where none was said, as VL-Adapter does."""
        labels = {f"a{number}": number for number in range(self.offered)}
        return ".json", json.dumps({item.id: labels.get(text[:2], 0) for item, text in said})

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        """Exact match of the choice."""
        return Scored(*exact.exact(predictions, [example.references for example in examples]))


class CaptionTask(ValueTask):
    """Captions of a clip or of a moment in it; other characters than ASCII become spaces before they are scored."""

    metric = cider.METRIC.model_copy(update={"version": f"{cider.METRIC.version}/ascii"})
    moment: ClassVar[Fields] = {}  # the field of a line that says which part of the clip is meant
    clip_field: ClassVar[str]  # how a submission calls the clip

    def items(self, path: Path, hidden: bool = False) -> Iterator[Item]:
        """One item per clip or moment."""
        fields = {"clip_id": int, "vid_name": str, **self.moment}
        label = {} if hidden else {"descs": list}
        for name, clip, *more in in_lines(path, fields | label):
            captions = () if hidden else _texts(more.pop())
            if not (captions or hidden):
                raise DataError(f"{path}: clip_id {name}: descs hold no caption; expected texts called 'desc'")
            moment = more[0] if self.moment else None
            text = f"[TS] ({moment})" if self.moment else ""
            yield Item(str(name), clip, text, captions, "caption", moment)

    def submitted(self, said: Sequence[tuple[Item, str]]) -> tuple[str, str]:
        """One line per clip or moment."""
        lines = []
        for item, text in said:
            moment = dict.fromkeys(self.moment, item.moment)
            line = {self.clip_field: item.clip, "clip_id": int(item.id), **moment, "descs": [{"desc": text}]}
            lines.append(json.dumps(line) + "\n")
        return ".jsonl", "".join(lines)

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        """CIDEr; document frequencies come from the examples given."""
        references = [[ascii_only(text) for text in example.references] for example in examples]
        return Scored(*cider.cider([ascii_only(text) for text in predictions], references))


def _texts(descriptions: Sequence[object]) -> tuple[str, ...]:
    """The captions of a clip, blank ones left out; nothing if one of them is no text."""
    try:
        return tuple([text for each in descriptions if (text := each["desc"].strip())])  # type: ignore[index]  # caught
    except (AttributeError, KeyError, TypeError):
        return ()
