"""PAWS: are two sentences of an encyclopedia, made of the same words, paraphrases? (Zhang et al. 2019).

Layout of ``<data>/paws/``: ``train.tsv``, ``dev.tsv``, ``test.tsv``, the final labelled ones of
``paws_wiki_labeled_final.tar.gz``, which github.com/google-research-datasets/paws names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tasks._glue_files import GlueSet
from tasks._text import Labelled, Share, TextTask
from tasks.base import Role

FILES = GlueSet("label", ("0", "1"))
SHARES: Mapping[Role, Share] = {
    "train": Share("train", "train"),
    "select": Share("dev", "dev"),
    "report": Share("test", "test"),
}


class Paws(TextTask):
    """PAWS: do two sentences mean the same? Accuracy."""

    name = "paws"
    prefix = "paws "
    folders = ("paws",)
    required = ("train.tsv", "dev.tsv", "test.tsv")
    origin = "github.com/google-research-datasets/paws says where paws_wiki_labeled_final.tar.gz is"
    title = "PAWS"
    summary = "Two sentences of the same words; whether they mean the same, 1 or 0."
    citation = "Zhang, Baldridge and He 2019"
    bibtex = "zhang2019paws"
    licence = "free for any use, Google asks to be named; the sentences are Wikipedia's"
    shares = SHARES
    form = "sentence1: {} sentence2: {}"

    def labelled(self, file: str) -> Iterable[Labelled]:
        """One example a line."""
        for row in FILES.rows(self.folder / f"{file}.tsv", ("sentence1", "sentence2")):
            yield Labelled(row.id, row.texts, row.label)
