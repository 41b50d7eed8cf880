"""The scores of the official caption evaluation (Chen et al. 2015): CIDEr-D, BLEU-1 to 4, ROUGE-L, METEOR."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.rouge.rouge import Rouge

from tasks.metrics.cider import cider_of_words
from tasks.metrics.java import meteor
from tasks.metrics.tokens import tokens

Tokenise = Callable[[Sequence[str]], list[str]]
"""Captions -> their tokens, joined by spaces."""


def tokenised(captions: Sequence[str]) -> list[str]:
    """Tokenise by `tasks.metrics.tokens`, without Java."""
    return [" ".join(tokens(caption)) for caption in captions]


def ascii_only(caption: str) -> str:
    """Replace every other character by a space, as the video benchmark VALUE does before it tokenises."""
    return "".join(character if character.isascii() else " " for character in caption)


def caption_scores(
    predictions: Sequence[str], references: Sequence[Sequence[str]], tokenise: Tokenise = tokenised
) -> dict[str, tuple[float, list[float]] | None]:
    """Return, by name, the corpus value and the value of each image; None for METEOR where Java cannot run it.

    BLEU takes the reference closest in length. Its corpus value is made of the corpus' counts; the others are
    means over images, but for METEOR, which Java aggregates.

    Args:
        predictions: one caption an image, at least one image.
        references: the human captions of each image, at least one.
        tokenise: splits all captions.
    """
    lines = iter(tokenise([*predictions, *(caption for group in references for caption in group)]))
    said = [next(lines) for _ in predictions]
    truth = [[next(lines) for _ in group] for group in references]
    by_image, said_by_image = dict(enumerate(truth)), {image: [line] for image, line in enumerate(said)}
    bleu, bleu_each = Bleu(4).compute_score(by_image, said_by_image, verbose=0)
    rouge, rouge_each = Rouge().compute_score(by_image, said_by_image)
    return {
        "cider": cider_of_words([line.split() for line in said], [[line.split() for line in group] for group in truth]),
        **{f"bleu-{order}": (bleu[order - 1], bleu_each[order - 1]) for order in (1, 2, 3, 4)},
        "rouge-l": (float(rouge), rouge_each.tolist()),
        "meteor": meteor(said, truth),
    }
