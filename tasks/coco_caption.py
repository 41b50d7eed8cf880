"""COCO captions: photos with five human captions each (Lin et al. 2014; Chen et al. 2015), scored by CIDEr.

Layout of ``<data>/coco/``: as `tasks._coco` says; the captions are those of ``dataset_coco.json``. Training reads one
example per caption, selection and report one per photo with all its captions (VL-Adapter).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tasks._coco import KARPATHY, KARPATHY_ORIGIN, SPLITS, KarpathyTask
from tasks.base import Card, Decoding, Example, Role, Scored
from tasks.metrics.cider import METRIC, cider


class CocoCaption(KarpathyTask):
    """Describe one photo in a sentence."""

    name = "coco-caption"
    version = "2"
    prefix = "caption: "
    decoding = Decoding(beams=5, max_length=20)
    loss = "token"
    text_limit = 40
    target_limit = 40
    batch_share = 50 / 60
    required = (KARPATHY,)
    origin = KARPATHY_ORIGIN

    @property
    def card(self) -> Card:
        """The task's card."""
        return Card(
            title="COCO captions",
            summary="One photo in, one sentence about it out; compared with five human captions.",
            source=f"Lin et al. 2014, Chen et al. 2015, split by Karpathy and Fei-Fei 2015; {self.origin}",
            licence="CC BY 4.0 (captions); the photos belong to their owners on Flickr",
            splits=SPLITS,
            metric=METRIC,
            bibtex="chen2015coco",
            sizes={"train": 566_747, "select": 5_000, "report": 5_000},
        )

    def read(self, role: Role) -> Iterable[Example]:
        """Training: one example per caption; otherwise one per photo."""
        for photo in self.photos.values():
            if photo.role != role:
                continue
            images, texts = (photo.id,), photo.captions
            if role == "train":
                for number, text in enumerate(texts):
                    yield Example(f"{photo.id}-{number}", "", images, (text,), (1.0,), texts, cluster=photo.id)
            else:
                yield Example(photo.id, "", images, texts, (1.0,) * len(texts), texts, cluster=photo.id)

    def score(self, examples: Sequence[Example], predictions: Sequence[str]) -> Scored:
        """CIDEr; document frequencies come from the examples given."""
        return Scored(*cider(predictions, [example.references for example in examples]))
